import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { SourceFile } from "../../src/domain/collected.ts"
import type { EvacuationSection } from "../../src/domain/config/evacuation.ts"
import * as EvacuationUsual from "../../src/domain/config/evacuation-usual.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import type { StorageSection } from "../../src/domain/config/storage.ts"
import type { IncidentCall } from "../../src/domain/incident.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Incidents from "../../src/services/evacuation/incident/incidents.ts"
import { Progress } from "../../src/services/progress.ts"
import * as Secrets from "../../src/services/secrets.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import * as Workplace from "../tasks/workplace.ts"

/** What a test's evacuation is configured with. */
export interface Options {
  readonly evacuation?: Partial<EvacuationSection>
  readonly storage?: Partial<StorageSection>
  readonly environment?: Readonly<Record<string, string>>
}

const opened = Date.UTC(2025, 10, 3, 4, 5, 6)
const stamp = "20251103T040506Z"
/** The incident of a test. */
export const incident = `IR-${stamp}`
export const evidence = `incidents/${incident}/evidence`
export const snapshot = `snapshots/${stamp}`

/** The services of a project's evacuation, in a folder. */
export const services = (root: string, { environment = {}, evacuation = {}, storage = {} }: Options = {}) =>
  Layer.mergeAll(
    Incidents.layer({ root: join(root, "incidents"), projectHome: join(root, ".dandori") }),
    Layer.succeed(Settings, {
      env: "dev",
      sections: { storage, evacuation: { ...EvacuationUsual.usual, collectors: [], ...evacuation } } as Sections,
      digest: () => Sha256.of(""),
    }),
    Layer.succeed(Workspace, {
      project: root,
      home: join(root, ".dandori"),
      resolve: Effect.succeed,
      display: (path) => path,
    }),
    Secrets.layer({ project: root, environment }),
    Layer.succeed(Progress, { report: () => Effect.void }),
  )

/** A file of the project that an evacuation takes. */
export interface Planted {
  readonly path: string
  readonly bytes: Uint8Array | string
  readonly value?: number
  readonly to?: SourceFile["to"]
}

/** Writes files into a project and lists them as collected. The snapshot is where nothing else is said. */
export const plant = (root: string, files: ReadonlyArray<Planted>) =>
  Effect.promise(async () => {
    const folder = join(root, "incidents", incident)
    await Fs.mkdir(folder, { recursive: true })
    for (const { bytes, path, to = "snapshot", value = 50 } of files) {
      const source = join(root, path)
      await Fs.mkdir(dirname(source), { recursive: true })
      await Fs.writeFile(source, bytes)
      const { gid, mode, mtimeMs, size, uid } = await Fs.stat(source)
      const line: SourceFile = {
        collector: "files",
        to,
        value,
        source,
        path,
        bytes: size,
        mtime: Math.floor(mtimeMs),
        mode: mode & 0o7777,
        uid,
        gid,
        redact: false,
      }
      await Fs.appendFile(join(folder, "inventory.ndjson"), `${CanonicalJson.encode(line)}\n`)
    }
  })

/** A project with an incident that was opened; each call of it is another time. */
export const make = (options: Options = {}, drill = false) =>
  Effect.gen(function* () {
    const root = yield* Workplace.project
    let calls = 0
    /** Opens the incident as another call does; gives what the call's tasks run with. */
    const call = (asked: Partial<IncidentCall> = {}, own: Options = options) =>
      Effect.gen(function* () {
        const began = opened + 1000 * calls++
        yield* (yield* Incidents.Incidents).open(
          {
            format: "dandori-incident/1",
            id: incident,
            opened,
            owner: "tester",
            host: "here",
            project: root,
            env: "dev",
            reason: "a test",
            drill,
            snapshot: stamp,
          },
          { began, ...asked },
        )
        return services(root, own)
      }).pipe(Effect.provide(services(root, own)))
    const folder = join(root, "incidents", incident)
    const lines = (name: string) =>
      Effect.promise(() =>
        Fs.readFile(join(folder, name), "utf8").then(
          (text): ReadonlyArray<any> =>
            text
              .split("\n")
              .filter((line) => line !== "")
              .map((line) => JSON.parse(line)),
          () => [],
        ),
      )
    return { root, folder, call, lines, plant: (files: ReadonlyArray<Planted>) => plant(root, files) }
  })

/** As the manifest's task does, in short: the bundles' own files, at a folder and noted in the incident's. */
export const noteManifests = (
  folder: string,
  {
    location,
    own = "",
    put,
    rung,
  }: {
    readonly rung: string
    readonly location: string
    readonly own?: string
    readonly put: (key: string, text: string) => Promise<unknown>
  },
) =>
  Effect.promise(async () => {
    for (const [bundle, prefix] of [
      ["evidence", evidence],
      ["snapshot", snapshot],
    ] as const) {
      const local = join(folder, "bundles", bundle)
      await Fs.mkdir(local, { recursive: true })
      const text = `${JSON.stringify({ bundle, root: Sha256.of(bundle) })}\n`
      await Fs.writeFile(join(local, "manifest.json"), text)
      await put([prefix, own, "manifest.json"].filter((part) => part !== "").join("/"), text)
    }
    const places = { rung, location, evidence: own, snapshot: own }
    await Fs.writeFile(join(folder, "bundles", "destination.json"), JSON.stringify(places))
  })

import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../../../src/domain/canonical-json.ts"
import { Collected, NotTaken, SourceFile } from "../../../../src/domain/collected.ts"
import type { EvacuationSection, FilesCollector } from "../../../../src/domain/config/evacuation.ts"
import type { Sections } from "../../../../src/domain/config/sections.ts"
import type { IncidentCall } from "../../../../src/domain/incident.ts"
import * as Incidents from "../../../../src/services/evacuation/incident/incidents.ts"
import { Settings } from "../../../../src/services/settings.ts"
import { Workspace } from "../../../../src/services/workspace.ts"

/** A folder that goes with the scope; without links in its path. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.realpathSync(Fs.mkdtempSync(join(tmpdir(), "dandori-evacuation-")))),
  (path) => Effect.promise(() => Bun.$`chmod -R u+rwX ${path}; rm -rf ${path}`.quiet().nothrow()),
)

export const bytes = (...values: ReadonlyArray<number | string>) =>
  Buffer.concat(values.map((each) => Buffer.from(typeof each === "number" ? [each] : each)))

/** Writes a file of a path of any bytes, and the folders above it. */
export const write = (path: string | Uint8Array, content: string | Uint8Array = "") => {
  const at = Buffer.from(path)
  Fs.mkdirSync(at.subarray(0, at.lastIndexOf(0x2f)), { recursive: true })
  Fs.writeFileSync(at, content)
}

/** Makes folders, each in the one before, and a file in the last; their path may be longer than paths can be. */
export const writeDeep = (root: string, names: ReadonlyArray<string>, file: string, content: string) => {
  let at = Fs.openSync(root, "r")
  for (const name of names) {
    Fs.mkdirSync(`/proc/self/fd/${at}/${name}`)
    const next = Fs.openSync(`/proc/self/fd/${at}/${name}`, "r")
    Fs.closeSync(at)
    at = next
  }
  Fs.writeFileSync(`/proc/self/fd/${at}/${file}`, content)
  Fs.closeSync(at)
}

/** A `files` collector over the folder `tree` of the project. */
export const collector = (own: Partial<FilesCollector> = {}): FilesCollector => ({
  name: "tree",
  kind: "files",
  root: "tree",
  to: "evidence",
  value: 1,
  ...own,
})

export const section = (...collectors: ReadonlyArray<FilesCollector>) =>
  ({ sealed: ".dandori/sealed", collectors }) as unknown as EvacuationSection

/** What the services of an inventory answer with for a project. */
export const services = (project: string, evacuation: EvacuationSection) =>
  Layer.mergeAll(
    Layer.succeed(Settings, {
      env: "dev",
      sections: { evacuation } as Sections,
      digest: () => CanonicalJson.digest({}),
    }),
    Layer.succeed(Workspace, {
      project,
      home: join(project, ".dandori", "evacuation"),
      resolve: Effect.succeed,
      display: (path) => path,
    }),
    Incidents.layer({
      root: join(project, ".dandori", "evacuation", "incidents"),
      projectHome: join(project, ".dandori"),
    }),
  )

/** Opens an incident of a project, or finds it. */
export const incident = (call: IncidentCall = { began: 1 }) =>
  Effect.flatMap(Incidents.Incidents, (incidents) =>
    incidents.open(
      {
        format: "dandori-incident/1",
        id: "IR-1",
        opened: 1,
        owner: "tester",
        host: "here",
        project: "test",
        env: "dev",
        reason: "a test",
        drill: false,
        snapshot: "20260101T000000Z",
      },
      call,
    ),
  )

const linesOf =
  <A>(schema: Schema.Codec<A, any>, name: string) =>
  (path: string): ReadonlyArray<A> =>
    Fs.existsSync(join(path, name))
      ? Fs.readFileSync(join(path, name), "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => Schema.decodeUnknownSync(Schema.fromJsonString(schema))(line))
      : []

/** The lists in an incident's folder, every line of which must be whole. */
export const inventory = linesOf(SourceFile, "inventory.ndjson")
export const notTaken = linesOf(NotTaken, "not-taken.ndjson")
export const collected = linesOf(Collected, "collected.ndjson")

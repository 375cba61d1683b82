import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { prefixOf } from "../../../../src/domain/bundle.ts"
import type { SourceFile } from "../../../../src/domain/collected.ts"
import type { EvacuationSection } from "../../../../src/domain/config/evacuation.ts"
import * as Usual from "../../../../src/domain/config/evacuation-usual.ts"
import type { Pushed } from "../../../../src/domain/pushed.ts"
import type { S3Section } from "../../../../src/domain/config/storage.ts"
import { addLines, type IncidentFolder } from "../../../../src/services/evacuation/incident/incidents.ts"
import { putBytes } from "../../../../src/services/evacuation/destination/given-bytes.ts"
import * as Ladder from "../../../../src/services/evacuation/destination/ladder.ts"
import * as Tar from "../../../../src/services/evacuation/bundle/tar.ts"
import { Settings } from "../../../../src/services/settings.ts"
import evacuateManifest from "../../../../tasks/evacuate/manifest/index.ts"
import { place } from "../../../tasks/workplace.ts"
import * as Place from "../incident/incident-place.ts"

/** A file of a bundle and what it holds. */
export interface Given extends Partial<SourceFile> {
  readonly path: string
  readonly content: string | Uint8Array
}

/** Writes an object of a folder. */
export const write = (path: string, bytes: string | Uint8Array) =>
  Effect.promise(async () => {
    await Fs.mkdir(dirname(path), { recursive: true })
    await Fs.writeFile(path, bytes)
  })

/** Where an evacuation goes, and the configuration of its server. */
export interface Options {
  readonly location?: string
  readonly s3?: S3Section
  /** What was to be taken: nothing that is not said. */
  readonly collectors?: EvacuationSection["collectors"]
}

/** What the tasks of an incident have below a root: its incidents, a configuration that names no destination. */
export const services = (root: string, { collectors = [], s3 }: Options = {}) => {
  const workplace = place(root, s3 === undefined ? {} : { storage: { s3 } })
  const settings = Layer.effect(
    Settings,
    Effect.map(Settings, (given) => ({
      ...given,
      sections: { ...given.sections, evacuation: { ...Usual.usual, collectors, sealed: join(root, "sealed") } },
    })),
  ).pipe(Layer.provide(workplace))
  return Layer.mergeAll(Layer.merge(workplace, settings), Place.layerAt(root))
}

/** Opens an incident that goes to the folder `disk it is on` or to another location, and chooses that. */
export const opened = Effect.fnUntraced(function* (root: string, options: Options = {}) {
  const disk = options.location ?? join(root, "disk it is on")
  const folder = yield* Place.openAt(root, { began: Place.opened, destination: disk })
  yield* Ladder.choose(folder).pipe(Effect.scoped, Effect.provide(services(root, options)))
  return { root, folder, disk }
})

/** Puts an object where the evacuation goes. */
const put = (folder: IncidentFolder, options: Options, to: "evidence" | "snapshot", path: string, bytes: Uint8Array) =>
  Effect.gen(function* () {
    const destination = yield* Ladder.chosen(folder)
    const key = `${prefixOf(folder.incident, to)}/${path}`
    const { sha256 } = yield* putBytes(destination, key, bytes, to === "evidence")
    const seen = { bytes: bytes.length, mtimeNs: `${Place.opened - 60_000}123456`, inode: "7" }
    return { rung: destination.name, to, path, key, bytes: bytes.length, sha256, at: 1, seen } satisfies Pushed
  }).pipe(Effect.scoped, Effect.provide(services(dirname(folder.path), options)))

/** Pushes files that a collector has found, as `evacuate/push` does. */
export const pushed = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  files: ReadonlyArray<Given>,
  more: Partial<Pushed> = {},
  options: Options = {},
) {
  const sources = files.map(({ content, path, ...rest }) => Place.source(path, content, rest))
  yield* addLines(folder.path, "inventory.ndjson", sources)
  for (const [at, { content, path }] of files.entries()) {
    const line = yield* put(folder, options, sources[at]?.to ?? "evidence", path, Buffer.from(content))
    yield* addLines(folder.path, "pushed.ndjson", [{ ...line, ...more }])
  }
})

/** Packs the captures and pushes the tars that were not. */
export const pushTars = Effect.fnUntraced(function* (folder: IncidentFolder, options: Options = {}) {
  yield* Tar.pack(folder)
  for (const { tar } of yield* Tar.list(folder)) {
    const content = yield* Effect.promise(() => Fs.readFile(join(folder.path, "bundles", tar)))
    yield* addLines(folder.path, "pushed.ndjson", [yield* put(folder, options, "evidence", tar, content)])
  }
})

/** Makes the bundles and puts their own files where the evacuation goes. */
export const manifest = (root: string, options: Options = {}) =>
  evacuateManifest.run({ incident: Place.incident.id }).pipe(Effect.provide(services(root, options)))

export const usual: ReadonlyArray<Given> = [
  { path: "logs/train.log", content: "epoch 1\nepoch 2\n", mode: 0o640 },
  { path: "configs/base/storage.yaml", content: "models_root: .dandori/models\n" },
  { path: "models/model_a.joblib", content: new Uint8Array([0, 1, 2, 255]), to: "snapshot" },
]

/** An evacuation to a folder that has come to its manifest: two captures and some files. */
export const evacuated = Effect.fnUntraced(function* (
  options: Options & { readonly files?: ReadonlyArray<Given>; readonly failed?: string } = {},
) {
  const { failed, files = usual } = options
  const { disk, folder, root } = yield* opened(yield* Place.temporary, options)
  yield* Place.capture(folder, "processes", "PID CMD\n1 init\n")
  yield* Place.capture(folder, "memory", "MemTotal: 24 GB\n")
  yield* Place.collected(folder, Place.ended("gpu", { outcome: "skipped", reason: "there is no GPU here" }))
  if (failed !== undefined) {
    yield* Place.collected(folder, Place.ended(failed, { outcome: "failed", reason: "it did not answer" }))
  }
  for (const name of new Set(files.map(({ path }) => path.split("/")[0] ?? ""))) {
    const to = files.find(({ path }) => path.startsWith(`${name}/`))?.to ?? "evidence"
    yield* Place.collected(folder, Place.ended(name, { to, files: 1, bytes: 1 }))
  }
  yield* pushed(folder, files, {}, options)
  yield* pushTars(folder, options)
  const output = yield* manifest(root, options)
  const bundle = join(disk, prefixOf(folder.incident, "evidence"))
  const snapshot = join(disk, prefixOf(folder.incident, "snapshot"))
  return { root, folder, disk, output, bundle, snapshot }
})

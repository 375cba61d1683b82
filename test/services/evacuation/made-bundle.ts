import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { prefixOf } from "../../../src/domain/bundle.ts"
import type { SourceFile } from "../../../src/domain/collected.ts"
import type { IncidentCall } from "../../../src/domain/incident.ts"
import type { Pushed } from "../../../src/domain/pushed.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { type Destination, DestinationFailed } from "../../../src/services/evacuation/destination.ts"
import { addLines, type IncidentFolder } from "../../../src/services/evacuation/incidents.ts"
import * as Tar from "../../../src/services/evacuation/tar.ts"
import { run } from "../../../tasks/evacuate/manifest/run.ts"
import * as Place from "./incident-place.ts"

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

/** A folder as destination, which takes what it is given and never replaces anything. */
export const directory = (root: string): Destination & { readonly puts: Array<string> } => {
  const puts: Array<string> = []
  const failed = (key: string, reason: string) =>
    new DestinationFailed({ location: root, operation: "store", key, reason, transient: false, refused: true })
  return {
    puts,
    name: "disk",
    location: root,
    away: true,
    pieceBytes: 1 << 20,
    put: ({ key, lock, open }) =>
      Effect.gen(function* () {
        puts.push(`${key}${lock ? " locked" : ""}`)
        const reading = yield* open
        const pieces: Array<Uint8Array> = []
        for (let piece = yield* reading.next; piece !== undefined; piece = yield* reading.next) pieces.push(piece.bytes)
        const bytes = new Uint8Array(Buffer.concat(pieces))
        const there = yield* Effect.promise(() => Fs.readFile(join(root, key)).catch(() => undefined))
        if (there !== undefined && !there.equals(bytes)) return yield* failed(key, "other bytes are there")
        yield* write(join(root, key), bytes)
        return { key, bytes: bytes.length, sha256: Sha256.of(bytes), sent: bytes.length, end: yield* reading.end }
      }).pipe(Effect.scoped),
    confirm: () => Effect.succeed({ confirmed: true }),
    get: () => Effect.succeed(Option.none()),
    list: () => Effect.succeed([]),
    pointer: Effect.succeed(Option.none()),
    movePointer: () => Effect.succeed(true),
  }
}

/** Pushes files that a collector has found to a folder, as `evacuate/push` does. */
export const pushed = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  root: string,
  files: ReadonlyArray<Given>,
  more: Partial<Pushed> = {},
) {
  const sources = files.map(({ content, path, ...rest }) => Place.source(path, content, rest))
  yield* addLines(folder.path, "inventory.ndjson", sources)
  for (const [at, { content, path }] of files.entries()) {
    const to = sources[at]?.to ?? "evidence"
    const key = `${prefixOf(folder.incident, to)}/${path}`
    yield* write(join(root, key), content)
    const bytes = Buffer.from(content)
    const seen = { bytes: bytes.length, mtimeNs: `${Place.opened - 60_000}123456`, inode: "7" }
    const line: Pushed = { rung: "disk", to, path, key, bytes: bytes.length, sha256: Sha256.of(bytes), at: 1, seen }
    yield* addLines(folder.path, "pushed.ndjson", [{ ...line, ...more }])
  }
})

/** Packs the captures and pushes what there is of tars. */
export const pushTars = Effect.fnUntraced(function* (folder: IncidentFolder, root: string) {
  yield* Tar.pack(folder)
  const prefix = prefixOf(folder.incident, "evidence")
  for (const { bytes, sha256, tar } of yield* Tar.list(folder)) {
    const content = yield* Effect.promise(() => Fs.readFile(join(folder.path, "bundles", tar)))
    const key = `${prefix}/${tar}`
    yield* write(join(root, key), content)
    const seen = { bytes, mtimeNs: "0", inode: "8" }
    const line: Pushed = { rung: "disk", to: "evidence", path: tar, key, bytes, sha256, at: 1, seen }
    yield* addLines(folder.path, "pushed.ndjson", [line])
  }
})

/** Makes the bundles and puts their own files into the folder. */
export const manifest = (root: string, destination: Destination) =>
  run({ incident: Place.incident.id }, () => Effect.succeed(destination)).pipe(Effect.provide(Place.layerAt(root)))

export const usual: ReadonlyArray<Given> = [
  { path: "logs/train.log", content: "epoch 1\nepoch 2\n", mode: 0o640 },
  { path: "configs/base/storage.yaml", content: "models_root: .dandori/models\n" },
  { path: "models/model_a.joblib", content: new Uint8Array([0, 1, 2, 255]), to: "snapshot" },
]

/** An evacuation to a folder that has come to its manifest: two captures and some files. */
export const evacuated = Effect.fnUntraced(function* (
  options: { readonly files?: ReadonlyArray<Given>; readonly call?: IncidentCall } = {},
) {
  const { call = { began: Place.opened }, files = usual } = options
  const root = yield* Place.temporary
  const folder = yield* Place.openAt(root, call)
  const destination = directory(join(root, "disk it is on"))
  yield* Place.capture(folder, "processes", "PID CMD\n1 init\n")
  yield* Place.capture(folder, "memory", "MemTotal: 24 GB\n")
  yield* Place.collected(folder, Place.ended("gpu", { outcome: "skipped", reason: "there is no GPU here" }))
  for (const name of new Set(files.map(({ path }) => path.split("/")[0] ?? ""))) {
    const to = files.find(({ path }) => path.startsWith(`${name}/`))?.to ?? "evidence"
    yield* Place.collected(folder, Place.ended(name, { to, files: 1, bytes: 1 }))
  }
  yield* pushed(folder, destination.location, files)
  yield* pushTars(folder, destination.location)
  const output = yield* manifest(root, destination)
  const bundle = join(destination.location, prefixOf(folder.incident, "evidence"))
  const snapshot = join(destination.location, prefixOf(folder.incident, "snapshot"))
  return { root, folder, destination, output, bundle, snapshot }
})

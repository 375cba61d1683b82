import { mkdir, mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { formatSize } from "../domain/quantity.ts"
import { didYouMean } from "../domain/suggest.ts"
import * as Durable from "../services/durable-files.ts"
import { ObjectStore } from "../services/object-store.ts"
import type { VerifyMode } from "../services/snapshot-manifest.ts"
import * as SnapshotRead from "../services/snapshot-read.ts"
import * as SnapshotRestore from "../services/snapshot-restore.ts"
import { exitCodes } from "./exit-code.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as ObjectStores from "./object-stores.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import { root } from "./root.ts"

const seconds = (millis: number) => `${(millis / 1000).toFixed(2)} s`

/** The store at a location. A folder that is not there is no empty store. */
const open = Effect.fnUntraced(function* (location: string) {
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(location)
  const store = yield* (yield* ObjectStore).open(isUrl ? location : resolve(process.cwd(), location))
  if (!store.location.startsWith("file:")) return store
  const folder = fileURLToPath(store.location)
  yield* Durable.attempt("look at", folder, () => stat(folder)).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.fail(new Missing({ what: `There is no folder ${folder}`, next: "Name the place of the snapshots" })),
    ),
  )
  return store
})

/** Ids of all that is kept at a place, snapshots without a manifest included. */
const idsAt = Effect.fnUntraced(function* (location: string) {
  const store = yield* open(location)
  const keys = yield* store.list("")
  const ids = new Set(
    keys.filter((key) => /^[^/]+\/(manifest\.json$|objects\/)/.test(key)).map((key) => key.split("/")[0]),
  )
  return { store, ids: [...ids].toSorted() }
})

/** The store that holds a snapshot; fails where nothing of it is there. */
const holding = Effect.fnUntraced(function* (location: string, snapshot: string) {
  const { store, ids } = yield* idsAt(location)
  if (ids.includes(snapshot)) return store
  return yield* new Missing({
    what: `There is no snapshot ${plain(snapshot)} at ${store.location}.${didYouMean(snapshot, ids)}`.replace(
      /\.$/,
      "",
    ),
    next:
      ids.length === 0
        ? "There is none at all"
        : `See what there is: ${(yield* Hint.here).files(`snapshot list ${location}`)}`,
  })
})

/** What is known of one snapshot: what its manifest says, or what is wrong with it. */
const look = Effect.fnUntraced(function* (store: Effect.Success<ReturnType<typeof open>>, snapshot: string) {
  const found = yield* SnapshotRead.readManifest(store, snapshot).pipe(Effect.result)
  if (found._tag === "Failure") {
    if (found.failure._tag !== "SnapshotDamaged") return yield* found.failure
    return { snapshot, state: "damaged", problem: found.failure.problems.join("; ") } as const
  }
  if (found.success._tag === "None") {
    return { snapshot, state: "unfinished", problem: "it has no manifest, so it was never finished" } as const
  }
  const { created, objects, bytes, digest, head, targets } = found.success.value.manifest
  const names = targets.map(({ kind, name }) => ({ kind, name }))
  return { snapshot, state: "complete", created, objects, bytes, digest, head, targets: names } as const
})

/** Lists the snapshots of a place, also those that were never finished. */
export const listSnapshots = Effect.fnUntraced(function* (location: string) {
  const { json, quiet } = yield* root
  const { store, ids } = yield* idsAt(location)
  const found = yield* Effect.forEach(ids, (id) => look(store, id))
  if (json) {
    const { location } = store
    return yield* Effect.forEach(found, (one) => Output.json({ v: 1, kind: "snapshot", location, ...one }), {
      discard: true,
    })
  }
  if (quiet) return yield* found.length === 0 ? Effect.void : Output.data(found.map((one) => one.snapshot).join("\n"))
  if (found.length === 0) return yield* Output.message(`There are no snapshots at ${store.location}.`)
  const rows = found.map((one) =>
    one.state === "complete"
      ? [
          one.snapshot,
          one.created,
          count(one.objects, "file", "files"),
          formatSize(one.bytes),
          one.targets.map(({ name }) => name).join(", "),
        ]
      : [one.snapshot, one.state.toUpperCase(), one.problem],
  )
  yield* Output.data(table(rows).join("\n"))
}, Effect.provide(ObjectStores.layer))

const scratchFolder = (given: string | undefined) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const parent = given === undefined ? tmpdir() : resolve(process.cwd(), given)
      yield* Durable.attempt("make", parent, () => mkdir(parent, { recursive: true }))
      return yield* Durable.attempt("make a folder in", parent, () => mkdtemp(join(parent, "dandori-verify-")))
    }),
    (folder) => Effect.ignore(Durable.attempt("remove", folder, () => rm(folder, { recursive: true, force: true }))),
  )

/** Ends with every problem of a damaged snapshot named. */
const damaged = Effect.fnUntraced(function* (kind: string, error: SnapshotRead.SnapshotDamaged) {
  const { json } = yield* root
  const { location, snapshot, problems } = error
  if (json) yield* Output.json({ v: 1, kind, location, snapshot, proven: false, problems })
  else {
    const verdict = Output.red("DAMAGED", Output.colours(process.stdout))
    yield* Output.data([`${verdict}  ${snapshot}`, ...problems.map((problem) => `  ${plain(problem)}`)].join("\n"))
    yield* Output.message("Take another snapshot, and keep this one for inspection.")
  }
  return yield* new Output.Exit({ exitCode: exitCodes.altered })
})

/** Proves a snapshot by reading it back; a restore for the proof goes below `scratch` and is removed again. */
export const verifySnapshot = Effect.fnUntraced(
  function* (location: string, snapshot: string, mode: VerifyMode, scratch: string | undefined) {
    const { json, quiet } = yield* root
    const kind = "snapshot-verify"
    const store = yield* holding(location, snapshot)
    const proof = yield* SnapshotRestore.verifySnapshot(
      store.location,
      snapshot,
      mode,
      yield* scratchFolder(scratch),
    ).pipe(Effect.catchTag("SnapshotDamaged", (error) => damaged(kind, error)))
    if (json) return yield* Output.json({ v: 1, kind, location: store.location, snapshot, proven: true, ...proof })
    if (quiet) return
    const took = proof.restoreMillis === undefined ? "" : `, restored in ${seconds(proof.restoreMillis)}`
    const verdict = Output.green("proven", Output.colours(process.stdout))
    const size = `${proof.objects} of ${count(proof.of, "file", "files")}, ${formatSize(proof.bytes)}`
    yield* Output.data(`${verdict}  ${snapshot}  by ${mode}: ${size}${took}`)
  },
  Effect.scoped,
  Effect.provide(ObjectStores.layer),
)

/** Restores a snapshot into an empty or new folder and proves that it is equal. */
export const restoreSnapshot = Effect.fnUntraced(function* (location: string, snapshot: string, into: string) {
  const { json, quiet } = yield* root
  const kind = "snapshot-restore"
  const store = yield* holding(location, snapshot)
  const folder = resolve(process.cwd(), into)
  const began = yield* Clock.currentTimeMillis
  const manifest = yield* SnapshotRestore.restore(store.location, snapshot, folder).pipe(
    Effect.catchTag("SnapshotDamaged", (error) => damaged(kind, error)),
  )
  const millis = (yield* Clock.currentTimeMillis) - began
  const { objects, bytes, digest } = manifest
  if (json) {
    return yield* Output.json({
      v: 1,
      kind,
      location: store.location,
      snapshot,
      folder,
      objects,
      bytes,
      digest,
      millis,
    })
  }
  if (quiet) return
  const verdict = Output.green("restored and equal", Output.colours(process.stdout))
  const size = `${count(objects, "file", "files")}, ${formatSize(bytes)}, in ${seconds(millis)}`
  yield* Output.data(`${verdict}  ${plain(folder)}  ${size}\ndigest  ${digest}`)
  for (const target of manifest.targets) {
    for (const { path, reason } of target.skipped) {
      yield* Output.message(`not in the snapshot: ${plain(`${target.name}/${path}`)} (${plain(reason)})`)
    }
  }
}, Effect.provide(ObjectStores.layer))

import * as Fs from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as Durable from "../../src/services/durable-files.ts"
import type { Store } from "../../src/services/object-store.ts"
import type { Manifest } from "../../src/services/snapshot-manifest.ts"
import * as SnapshotRead from "../../src/services/snapshot-read.ts"
import * as SnapshotRestore from "../../src/services/snapshot-restore.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { openPlace } from "../snapshot/destination.ts"
import type { RestoreInput } from "./schema.ts"

/** There is no snapshot that could be restored. */
export class SnapshotMissing extends Schema.TaggedError<SnapshotMissing>()("SnapshotMissing", {
  location: Schema.String,
  snapshot: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    const what = this.snapshot === "" ? "no complete snapshot" : `no complete snapshot ${this.snapshot}`
    return `There is ${what} at ${this.location}; see what there is: dandori snapshot list ${this.location}`
  }
}

/** Snapshots that have a manifest, oldest first: their names begin with the time. */
const complete = (store: Store) =>
  Effect.map(store.list(""), (keys) =>
    keys
      .filter((key) => /^[^/]+\/manifest\.json$/.test(key))
      .map((key) => key.split("/")[0])
      .toSorted(),
  )

/** The snapshot that an input means, and the folder that it is to be restored into. */
export const choose = Effect.fnUntraced(function* (input: RestoreInput) {
  const { store } = yield* openPlace(input.from)
  const { location } = store
  const wanted = input.snapshot ?? ""
  const snapshot = wanted === "" ? (yield* complete(store)).at(-1) : wanted
  const missing = new SnapshotMissing({ location, snapshot: wanted })
  if (snapshot === undefined) return yield* missing
  const found = yield* SnapshotRead.readManifest(store, snapshot)
  if (found._tag === "None") return yield* missing
  const { scratch } = yield* Attempt
  const folder =
    input.into === undefined || input.into === ""
      ? join(scratch, "restored")
      : yield* (yield* Workspace).resolve(input.into)
  return { store, manifest: found.value.manifest, folder }
})

const entries = (folder: string) =>
  Durable.attempt("list", folder, () => Fs.readdir(folder)).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed<ReadonlyArray<string>>([]),
    ),
  )

/**
 * Brings a snapshot's files into the folder, which appears whole, by one rename: what an earlier attempt of this task left
 * beside it is removed. A folder that holds exactly this snapshot already is taken as it is; any other is refused.
 */
export const bring = Effect.fnUntraced(function* (store: Store, manifest: Manifest, folder: string) {
  const { idempotencyKey } = yield* Attempt
  if ((yield* entries(folder)).length > 0) {
    if ((yield* SnapshotRestore.differences(manifest, folder)).length === 0) return
    return yield* new SnapshotRestore.RestoreRefused({ folder })
  }
  const beside = join(dirname(folder), `.${basename(folder)}-${Sha256.of(idempotencyKey).slice(0, 12)}`)
  yield* Effect.when(
    SnapshotRestore.removeTree(beside),
    Effect.map(entries(beside), (there) => there.length > 0),
  )
  yield* SnapshotRestore.restore(store.location, manifest.snapshot, beside)
  yield* Durable.makeFolderDurably(folder)
  yield* Durable.renameDurably(beside, folder)
})

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Sha256 from "../domain/sha256.ts"
import { ObjectStore, type ObjectStoreError, type Store } from "./object-store.ts"
import * as SnapshotManifest from "./snapshot-manifest.ts"

/** A snapshot is not what its manifest says, or has none. Nothing of it should be relied on. */
export class SnapshotDamaged extends Schema.TaggedError<SnapshotDamaged>()("SnapshotDamaged", {
  location: Schema.String,
  snapshot: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    const first = this.problems.slice(0, 5).join("; ")
    const more = this.problems.length > 5 ? ` (and ${this.problems.length - 5} more)` : ""
    return `The snapshot ${this.snapshot} at ${this.location} cannot be relied on: ${first}${more}. Take another, keep this one for inspection`
  }
}

/** A manifest and the digest of its bytes. */
export interface FoundManifest {
  readonly manifest: SnapshotManifest.Manifest
  readonly sha256: Sha256.Sha256
  readonly bytes: number
}

const safe = (path: string) =>
  path !== "" && !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..")

/** Reads a snapshot's manifest; None when there is none, so when the snapshot was never finished. */
export const readManifest = (
  store: Store,
  snapshot: string,
): Effect.Effect<Option.Option<FoundManifest>, SnapshotDamaged | ObjectStoreError> =>
  Effect.gen(function* () {
    const key = SnapshotManifest.manifestKey(snapshot)
    if (Option.isNone(yield* store.info(key))) return Option.none()
    const bytes = yield* store.get(key)
    const damaged = (problem: string) =>
      new SnapshotDamaged({ location: store.location, snapshot, problems: [problem] })
    const manifest = Option.getOrUndefined(SnapshotManifest.decode(new TextDecoder().decode(bytes)))
    if (manifest === undefined) return yield* damaged("its manifest is not readable")
    if (manifest.snapshot !== snapshot) return yield* damaged(`its manifest is of ${manifest.snapshot}`)
    if (SnapshotManifest.digestOf(manifest.targets) !== manifest.digest) {
      return yield* damaged("its manifest does not have its own digest")
    }
    const paths = manifest.targets.flatMap((target) => [
      target.name,
      ...[...target.files, ...target.folders, ...target.links].map((entry) => entry.path),
    ])
    const bad = paths.find((path) => !safe(path))
    if (bad !== undefined) return yield* damaged(`its manifest has the unsafe path ${JSON.stringify(bad)}`)
    return Option.some({ manifest, sha256: Sha256.of(bytes), bytes: bytes.length })
  })

/** Opens a place and reads the manifest of one of its snapshots; without a manifest it does not count. */
export const openSnapshot = (location: string, snapshot: string) =>
  Effect.gen(function* () {
    const store = yield* (yield* ObjectStore).open(location)
    const found = yield* readManifest(store, snapshot)
    if (Option.isSome(found)) return { store, manifest: found.value.manifest }
    return yield* new SnapshotDamaged({ location: store.location, snapshot, problems: ["it has no manifest"] })
  })

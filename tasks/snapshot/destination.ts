import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { ObjectStore, type Store } from "../../src/services/object-store.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Settings } from "../../src/services/settings.ts"
import type { Source } from "../../src/services/snapshot-take.ts"
import { PathRefused, Workspace } from "../../src/services/workspace.ts"

/** The snapshot would hold itself. */
export class DestinationInside extends Schema.TaggedError<DestinationInside>()("DestinationInside", {
  destination: Schema.String,
  target: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The destination ${this.destination} lies in ${this.target}, which is to be taken: the snapshot would hold itself. Choose another destination`
  }
}

const within = (path: string, folder: string) => !Path.relative(folder, path).startsWith("..")

/** A store whose files are stored in a class; what is small and read first, like a manifest, is not. */
const inClass = (store: Store, storageClass: string | undefined): Store =>
  storageClass === undefined ? store : { ...store, putFile: (key, path) => store.putFile(key, path, { storageClass }) }

/** Where snapshots are when nobody says where: away from this machine, if the configuration has such a place. */
const usual = Effect.gen(function* () {
  const { storage } = (yield* Settings).sections
  if (storage.offsite === undefined) return storage.backups_root
  return Redacted.value(yield* (yield* Secrets).resolve(storage.offsite.bucket))
})

/** Opens a place of snapshots, a bucket's with the storage class that files leave the machine with. A folder must be one that may be touched. */
export const openPlace = (destination: string | undefined) =>
  Effect.gen(function* () {
    const { storage } = (yield* Settings).sections
    const stores = yield* ObjectStore
    const given = destination === undefined || destination === "" ? yield* usual : destination
    if (/^[a-z][a-z0-9+.-]+:/i.test(given) && !given.startsWith("file:")) {
      return { store: inClass(yield* stores.open(given), storage.offsite?.storage_class) }
    }
    const path = yield* Effect.try({
      try: () => (given.startsWith("file:") ? fileURLToPath(given) : given),
      catch: () => new PathRefused({ path: given, reason: "it is no file: URL of this machine" }),
    })
    const folder = yield* (yield* Workspace).resolve(path)
    return { store: yield* stores.open(folder), folder }
  })

/** As `openPlace`, for what is to be taken, which the place must not lie in. */
export const openDestination = (destination: string | undefined, sources: ReadonlyArray<Source>) =>
  Effect.gen(function* () {
    const { folder, store } = yield* openPlace(destination)
    const inside = folder === undefined ? undefined : sources.find((source) => within(folder, source.path))
    if (inside === undefined) return store
    return yield* new DestinationInside({ destination: destination ?? "", target: inside.source })
  })

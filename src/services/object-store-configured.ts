import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { StorageSection } from "../domain/config/storage.ts"
import { ObjectStore, ObjectStoreError, type Store } from "./object-store.ts"
import * as ObjectStoreDirectory from "./object-store-directory.ts"

/** Opens buckets of a server; gives one store for each place. */
const buckets = Effect.fnUntraced(function* (section: NonNullable<StorageSection["s3"]>) {
  const [ObjectStoreS3, S3Client] = yield* Effect.promise(() =>
    Promise.all([import("./object-store-s3.ts"), import("./s3-client.ts")]),
  )
  const client = yield* S3Client.make(section)
  const stores = new Map<string, Store>()
  return (location: string) => {
    const place = ObjectStoreS3.parseLocation(location)
    if (typeof place === "string") {
      return Effect.fail(new ObjectStoreError({ location, key: "", reason: place, transient: false, notApplied: true }))
    }
    const name = `${place.bucket}/${place.prefix}`
    const store = stores.get(name) ?? ObjectStoreS3.make(client, section, place)
    stores.set(name, store)
    return Effect.succeed(store)
  }
})

/**
 * Opens folders, by path or `file:` URL, and `s3://bucket/prefix` at the server that the storage section names. What a
 * bucket takes is imported with the first one.
 */
export const layer = ({ s3 = {} }: Pick<StorageSection, "s3">): Layer.Layer<ObjectStore> =>
  Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const bucket = yield* Effect.cached(buckets(s3).pipe(Scope.provide(scope), Effect.uninterruptible))
      return ObjectStore.of({
        open: (location) =>
          /^s3:/i.test(location)
            ? Effect.flatMap(bucket, (open) => open(location))
            : ObjectStoreDirectory.open(location),
      })
    }),
  )

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StorageSection } from "../domain/config/storage.ts"
import { ObjectStore, ObjectStoreError, type Store } from "./object-store.ts"
import * as ObjectStoreDirectory from "./object-store-directory.ts"
import * as ObjectStoreS3 from "./object-store-s3.ts"
import * as S3Client from "./s3-client.ts"

/** Opens folders, by path or `file:` URL, and `s3://bucket/prefix` at the server that the storage section names. */
export const layer = ({ s3 = {} }: Pick<StorageSection, "s3">): Layer.Layer<ObjectStore> =>
  Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const client = yield* S3Client.make(s3)
      const stores = new Map<string, Store>()
      return ObjectStore.of({
        open: (location) =>
          Effect.suspend(() => {
            if (!/^s3:/i.test(location)) return ObjectStoreDirectory.open(location)
            const place = ObjectStoreS3.parseLocation(location)
            if (typeof place === "string") {
              return Effect.fail(
                new ObjectStoreError({ location, key: "", reason: place, transient: false, notApplied: true }),
              )
            }
            const name = `${place.bucket}/${place.prefix}`
            const store = stores.get(name) ?? ObjectStoreS3.make(client, s3, place)
            stores.set(name, store)
            return Effect.succeed(store)
          }),
      })
    }),
  )

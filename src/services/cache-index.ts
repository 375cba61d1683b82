import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { RunId } from "../domain/names.ts"
import { Sha256 } from "../domain/sha256.ts"

/** Which entry of which run says what the output for a key is. What it is stands in the ledger alone. */
export const CacheRecord = Schema.Struct({ run: RunId, task: Schema.String, entry: Sha256 })
export type CacheRecord = typeof CacheRecord.Type

const Text = Schema.fromJsonString(CacheRecord)

/** An index over the ledger: from cache keys to the entries of pure tasks. It may be deleted at any time. */
export class CacheIndex extends Context.Service<
  CacheIndex,
  {
    readonly get: (key: Sha256) => Effect.Effect<Option.Option<CacheRecord>>
    /** Remembers; an index that cannot be written is not worth failing for. */
    readonly put: (key: Sha256, record: CacheRecord) => Effect.Effect<void>
    /** Forgets a key that names a run. */
    readonly forget: (key: string, run: string) => Effect.Effect<void>
  }
>()("dandori/services/CacheIndex") {
  /** One file per key below `<home>/cache`. */
  static readonly layer = (home: string) =>
    Layer.effect(
      CacheIndex,
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const pathOf = (key: string) => join(home, "cache", `${key}.json`)
        const get = (key: string) =>
          fs.readFileString(pathOf(key)).pipe(Effect.flatMap(Schema.decodeEffect(Text)), Effect.option)
        return CacheIndex.of({
          get,
          forget: (key, run) =>
            Effect.flatMap(get(key), (found) =>
              Option.isSome(found) && found.value.run === run ? Effect.ignore(fs.remove(pathOf(key))) : Effect.void,
            ),
          put: (key, record) =>
            Effect.gen(function* () {
              const text = yield* Schema.encodeEffect(Text)(record)
              yield* fs.makeDirectory(join(home, "cache"), { recursive: true, mode: 0o700 })
              yield* fs.writeFileString(`${pathOf(key)}.new`, text)
              yield* fs.rename(`${pathOf(key)}.new`, pathOf(key))
            }).pipe(Effect.ignore),
        })
      }),
    )
}

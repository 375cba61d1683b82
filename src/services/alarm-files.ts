import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Route } from "../domain/config/notifications.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"

/** What was triggered under a `dedupKey` and not resolved: since when, which routes heard of it, which run said so last. */
export const Alarm = Schema.Struct({
  dedupKey: Schema.String,
  since: Schema.Int.annotate({ description: "milliseconds since the epoch" }),
  channel: Schema.String,
  routes: Schema.Array(Route),
  run: Schema.optionalKey(Schema.String),
})
export type Alarm = typeof Alarm.Type

/** Alarms in a folder, one file each, by environment. */
export interface AlarmFiles {
  readonly find: (dedupKey: string) => Effect.Effect<Option.Option<Alarm>, Durable.FileFailed>
  /** Durable on return. */
  readonly put: (alarm: Alarm) => Effect.Effect<void, Durable.FileFailed>
  /** Durable on return; nothing when there is none. */
  readonly remove: (dedupKey: string) => Effect.Effect<void, Durable.FileFailed>
  /** Makes one change at a time, of all processes. */
  readonly alone: <A, E>(change: Effect.Effect<A, E>) => Effect.Effect<A, E | FileLock.LockBusy | FileLock.LockFailed>
}

const patienceMillis = 10_000

const text = Schema.fromJsonString(Alarm)
const decode = Schema.decodeUnknownOption(text)
const encode = Schema.encodeSync(text)

/** Opens the alarms of an environment in a folder, making the folder. A file that is no alarm counts as none. */
export const open = (root: string, env: string): Effect.Effect<AlarmFiles, Durable.FileFailed> =>
  Effect.gen(function* () {
    const folder = join(root, env)
    yield* Durable.makeFolderDurably(folder)
    const fileOf = (dedupKey: string) => join(folder, `${Sha256.of(dedupKey)}.json`)
    const none = (error: Durable.FileFailed) => error.code === "ENOENT"
    return {
      find: (dedupKey) => {
        const path = fileOf(dedupKey)
        return Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
          Effect.map(decode),
          Effect.catchIf(none, () => Effect.succeed(Option.none<Alarm>())),
        )
      },
      put: (alarm) => Durable.writeFileDurably(fileOf(alarm.dedupKey), encode(alarm)),
      remove: (dedupKey) => Effect.catchIf(Durable.removeFileDurably(fileOf(dedupKey)), none, () => Effect.void),
      alone: (change) =>
        Effect.scoped(Effect.andThen(FileLock.acquireWithin(join(folder, "alarms.lock"), patienceMillis), change)),
    }
  })

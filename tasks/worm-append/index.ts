import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { Sha256 } from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Settings } from "../../src/services/settings.ts"
import * as WormDirectory from "../../src/services/worm-directory.ts"
import { RecordType } from "../../src/services/worm-record.ts"
import { Workspace } from "../../src/services/workspace.ts"

/** What to write: a record type's name and any JSON object. */
export const Input = Schema.Struct({
  recordType: RecordType.annotate({ description: "the chain that it is appended to" }),
  payload: Schema.JsonObject.annotate({ description: "what is recorded: any JSON object" }),
}).annotate({ identifier: "WormAppendInput" })

/** Where the record stands in its chain. */
export const Output = Schema.Struct({
  path: Schema.String,
  sha256: Sha256,
  sequence: Schema.Int,
  prevSha256: Sha256,
}).annotate({ identifier: "WormRecord" })

const rootFolder = Effect.gen(function* () {
  const settings = yield* Settings
  return yield* (yield* Workspace).resolve(settings.sections.storage.worm_root)
})

const shown = (appended: WormDirectory.Appended) =>
  Effect.map(Workspace, (workspace) => ({ ...appended, path: workspace.display(appended.path) }))

/** Appends a write-once record. The record's id is run/task, by which the probe finds it after a crash. */
export default taskType({
  type: "worm-append",
  version: 1,
  description: "Appends a write-once record to the hash chain of its type",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "a file could not be read or written",
    LockBusy: "another process holds the lock",
    LockFailed: "the lock could not be taken",
    PathRefused: "a path leads outside of the project",
    WormDamaged: "the chain of records is damaged",
  },
  effects: "once",
  config: ["storage"],
  dryRun: (input) =>
    Effect.map(rootFolder, (root) => `would append a ${input.recordType} record below ${root}/${input.recordType}`),
  probe: (input) =>
    Effect.gen(function* () {
      const { idempotencyKey } = yield* Attempt
      const found = yield* WormDirectory.find(yield* rootFolder, input.recordType, idempotencyKey)
      return Option.isNone(found) ? Option.none() : Option.some(yield* shown(found.value))
    }),
  run: (input) =>
    Effect.gen(function* () {
      const { idempotencyKey: recordId } = yield* Attempt
      const appended = yield* WormDirectory.append(yield* rootFolder, { ...input, recordId })
      return yield* shown(appended)
    }),
})

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { ModelVersion } from "../../src/domain/model.ts"
import { formatSize } from "../../src/domain/quantity.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as ModelRetention from "../../src/services/model-retention.ts"

/** Which versions lose their files, and why. */
export const Input = Schema.Struct({
  models: Schema.Array(ModelVersion).annotate({ description: "the versions, as model-due has found them ready" }),
  reason: Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" })).annotate({
    description: "recorded in the registry's histories",
  }),
}).annotate({ identifier: "ModelPurgeInput" })
export type Input = typeof Input.Type

/** What is gone, and what was left and why; sizes in bytes. */
export const Output = Schema.Struct({
  purged: Schema.Array(Schema.Struct({ ...ModelVersion.fields, bytes: Schema.Int })),
  left: Schema.Array(Schema.Struct({ ...ModelVersion.fields, why: Schema.String })),
  bytes: Schema.Int.annotate({ description: "bytes that were removed" }),
  reason: Schema.String,
}).annotate({ identifier: "PurgedModels" })
export type Output = typeof Output.Type

const total = (models: ReadonlyArray<{ readonly bytes: number }>) => models.reduce((sum, { bytes }) => sum + bytes, 0)

/** Those of the versions that this task of this run has purged, by its own rows in the registry. */
const doneBefore = Effect.fnUntraced(function* (models: Input["models"]) {
  const { files } = yield* (yield* ModelRegistry).doneBy((yield* Attempt).idempotencyKey)
  return models.flatMap(({ digest, version }) => {
    const row = files.find((one) => one.version === version && one.digest === digest && one.state === "purged")
    return row === undefined ? [] : [{ version, digest, bytes: row.bytes }]
  })
})

const run = Effect.fn("model-purge.run")(function* ({ models, reason }: Input) {
  const { idempotencyKey, intent, log, run: id, task, who } = yield* Attempt
  const warrant = { who, reason: reason.trim(), intent, run: id, task, key: idempotencyKey }
  // What an earlier attempt of this task has purged is its result too.
  const before = yield* doneBefore(models)
  const rest = models.filter(({ version }) => !before.some((one) => one.version === version))
  const { left, purged } = yield* ModelRetention.purge(rest, warrant)
  for (const { version, why } of left) yield* log(`left ${version}: ${why}`)
  const all = [...before, ...purged]
  return { purged: all, left, bytes: total(all), reason } satisfies Output
})

/** Removes the files of versions that are due. Each is looked at again first; the registry keeps row and histories. */
export default taskType({
  type: "model-purge",
  version: 1,
  description: "Archives the given versions and removes their files, each unless something keeps it after all",
  input: Input,
  output: Output,
  errors: {
    EvidenceError: "the ledger cannot be read",
    FileFailed: "a file could not be read or removed",
    FilesStateRefused: "the registry does not allow it",
    LockFailed: "a lock could not be taken",
    PathRefused: "a path leads outside of the project",
    ReasonMissing: "the registry wants a reason",
    RegistryUnavailable: "the registry cannot be reached",
    TransitionRefused: "the registry does not allow the version to be archived",
    VersionRefused: "the version is no plain name",
    VersionUnknown: "the registry has no such version",
  },
  effects: "irreversible",
  config: ["storage", "retention"],
  dryRun: ({ models }) =>
    Effect.map(ModelRetention.survey(), (all) => {
      const asked = all.filter(({ row }) => models.some(({ version }) => version === row.version))
      const ready = asked.filter(({ verdict }) => verdict.is === "ready")
      return `would remove the files of ${ready.length} version(s), ${formatSize(total(ready))}, and leave ${models.length - ready.length}`
    }),
  probe: ({ models, reason }) =>
    Effect.map(doneBefore(models), (purged) =>
      models.length > 0 && purged.length === models.length
        ? Option.some<Output>({ purged, left: [], bytes: total(purged), reason })
        : Option.none(),
    ),
  run,
})

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { ModelVersion, slotText } from "../../src/domain/model.ts"
import { formatSize } from "../../src/domain/quantity.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as ModelRetention from "../../src/services/model-retention.ts"

/** Why it is looked. */
export const Input = Schema.Struct({
  reason: Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" })).annotate({
    description: "recorded with every version that is marked",
  }),
  only: Schema.optionalKey(Schema.Array(Schema.String)).annotate({
    description: "only these are given as ready; empty or left out: all that are",
  }),
}).annotate({ identifier: "ModelDueInput" })

const Sized = { ...ModelVersion.fields, slot: Schema.String, bytes: Schema.Int }

/** The versions by what retention says of them; sizes in bytes. */
export const Output = Schema.Struct({
  ready: Schema.Array(ModelVersion).annotate({ description: "may be purged now; what model-purge takes" }),
  due: Schema.Array(Schema.Struct({ ...Sized, from: Schema.String })).annotate({
    description: "marked; may be purged from then on",
  }),
  bytes: Schema.Int.annotate({ description: "of those that may be purged now" }),
  kept: Schema.Int.annotate({ description: "how many versions are kept" }),
}).annotate({ identifier: "DueModels" })

type Surveyed = Effect.Success<ReturnType<typeof ModelRetention.survey>>

const shown = (all: Surveyed, only: ReadonlyArray<string> = []): typeof Output.Type => {
  const isAsked = ({ row }: Surveyed[number]) => only.length === 0 || only.includes(row.version)
  const ready = all.filter((one) => one.verdict.is === "ready" && isAsked(one))
  return {
    ready: ready.map(({ row: { digest, version } }) => ({ version, digest })),
    due: all.flatMap(({ bytes, row: { digest, slot, version }, verdict }) =>
      verdict.is === "due"
        ? [{ version, digest, slot: slotText(slot), bytes, from: new Date(verdict.from).toISOString() }]
        : [],
    ),
    bytes: ready.reduce((sum, { bytes }) => sum + bytes, 0),
    kept: all.filter(({ verdict }) => verdict.is === "kept").length,
  }
}

const run = Effect.fn("model-due.run")(function* ({ only, reason }: typeof Input.Type) {
  const { idempotencyKey, intent, run: id, task, who } = yield* Attempt
  const warrant = { who, reason: reason.trim(), intent, run: id, task, key: idempotencyKey }
  return shown(yield* ModelRetention.mark(warrant), only)
})

/** Marks the versions that have become due by the retention section, and takes the mark from those that are kept after all. */
export default taskType({
  type: "model-due",
  version: 1,
  description:
    "Finds and marks the model versions that are due by the retention section, from which their grace counts",
  input: Input,
  output: Output,
  errors: {
    EvidenceError: "the ledger cannot be read",
    FileFailed: "a file could not be read",
    FilesStateRefused: "the registry does not allow the mark",
    PathRefused: "a path leads outside of the project",
    ReasonMissing: "the registry wants a reason",
    RegistryUnavailable: "the registry cannot be reached",
    VersionRefused: "the version is no plain name",
    VersionUnknown: "the registry has no such version",
  },
  effects: "idempotent",
  config: ["storage", "retention"],
  dryRun: ({ only }) =>
    Effect.map(ModelRetention.survey(), (all) => {
      const { bytes, due, kept, ready } = shown(all, only)
      return `${ready.length} version(s) may be purged now (${formatSize(bytes)}), ${due.length} later, ${kept} are kept`
    }),
  run,
})

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { GatedModel } from "../../src/domain/model.ts"
import { RunId } from "../../src/domain/names.ts"
import { Evidence } from "../../src/services/evidence.ts"

/** Whose output is meant. */
export const Input = Schema.Struct({
  run: Schema.String.annotate({ description: "id of a run of this ledger" }),
  task: Schema.optionalKey(Schema.String).annotate({
    description: "the task that let the model pass (default backtest)",
  }),
}).annotate({ identifier: "ModelOfRunInput" })

/** The model as the run's record has it: a claim, which the receipts of its bytes have to bear out. */
export const Output = Schema.Struct({ model: GatedModel, run: Schema.String, task: Schema.String }).annotate({
  identifier: "ModelOfRun",
})

/** The run has no such model. */
export class NoModel extends Schema.TaggedError<NoModel>()("NoModel", {
  run: Schema.String,
  task: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `Run ${this.run} has no model of task ${this.task}: ${this.reason}. Look: dandori runs show ${this.run}`
  }
}

const decode = Schema.decodeUnknownOption(Schema.Struct({ model: GatedModel }))
const isRun = Schema.is(RunId)

const read = Effect.fn("model-of-run.run")(function* ({ run, task = "backtest" }: typeof Input.Type) {
  const none = (reason: string) => new NoModel({ run, task, reason })
  if (!isRun(run)) return yield* none("this is no run's id; write all of it")
  const evidence = yield* Evidence
  const output = yield* evidence.outputOf(run, task)
  if (Option.isNone(output)) {
    const failure = yield* evidence.failureOf(run, task)
    return yield* none(Option.isNone(failure) ? "it has not succeeded" : `it failed. ${failure.value.message}`)
  }
  const found = decode(output.value)
  if (Option.isNone(found)) return yield* none("its output holds no gated model")
  return { model: found.value.model, run, task }
})

/** Takes up the model that a gate of an earlier run let through, from that run's record. */
export default taskType({
  type: "model-of-run",
  version: 1,
  description: "Takes up the model that a gate of an earlier run let through; publish asks for its receipts",
  input: Input,
  output: Output,
  errors: { EvidenceError: "the ledger cannot be read", NoModel: "the run has no such model" },
  effects: "idempotent",
  dryRun: (input) => Effect.map(read(input), ({ model }) => `${model.version}, digest ${model.digest}`),
  run: read,
})

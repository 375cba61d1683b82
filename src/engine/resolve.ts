import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { LedgerFailed } from "../ledger/errors.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import * as Errors from "./errors.ts"
import * as Outcome from "./outcome.ts"
import * as OutputLimit from "./output-limit.ts"
import * as Prepared from "./prepared.ts"
import { type Recalled, fold } from "./resume.ts"
import { taskOf } from "./run-state.ts"

/** Nobody asked about this task: it is not `unknown`, or there is none of this name. */
export class NotUnknown extends Schema.TaggedError<NotUnknown>()("NotUnknown", {
  run: Schema.String,
  task: Schema.String,
  status: Schema.optionalKey(Schema.String),
}) {
  override get message() {
    const there =
      this.status === undefined ? `has no task ${this.task}` : `knows how ${this.task} stands: ${this.status}`
    return `Run ${this.run} ${there}. Only a task whose outcome is unknown can be resolved`
  }
}

/** The output that a person gave does not fit the task type. */
export class OutputRefused extends Schema.TaggedError<OutputRefused>()("OutputRefused", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** What a person says of a task whose outcome nobody knows. */
export interface Resolution {
  readonly task: string
  readonly as: "succeeded" | "failed"
  readonly reason: string
  /** The task's output as JSON; wanted with `succeeded`. */
  readonly output?: unknown
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Records what a person says became of an unknown task. The output is decoded by the task type's schema first. */
export const resolve = Effect.fn("Resolve.resolve")(function* (
  run: string,
  recalled: Recalled,
  resolution: Resolution,
) {
  const ledger = yield* Ledger
  const stream = StreamName.ofRun(run)
  const prepared = yield* Prepared.prepare(recalled.plan)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { chain, writer } = yield* ledger.reopen(stream)
      const state = fold(prepared, chain.entries, resolution.now)
      const { task, as, reason, output } = resolution
      const index = CompiledPlan.indexOfId(prepared.plan, task)
      const { status } = taskOf(state, task)
      if (index === -1) return yield* new NotUnknown({ run, task })
      if (status !== "unknown") return yield* new NotUnknown({ run, task, status })
      const type = prepared.types.get(CompiledPlan.taskOfNode(prepared.plan, index).type)
      let stored: object = {}
      if (as === "succeeded") {
        const decoded: Exit.Exit<unknown, unknown> = type?.decodeOutput(output) ?? Exit.fail("it is missing")
        const encoded = Exit.isSuccess(decoded) ? type?.encodeOutput(decoded.value) : undefined
        if (encoded === undefined || Exit.isFailure(encoded)) {
          const fault = Errors.decodeFailure("OutputInvalid", `The output of ${task}`, decoded)
          return yield* new OutputRefused({ reason: fault.message })
        }
        const tooLarge = yield* OutputLimit.refuse(task, encoded.value)
        if (tooLarge !== undefined) return yield* new OutputRefused({ reason: tooLarge.message })
        const text = JSON.stringify(encoded.value)
        stored = yield* Outcome.storeOutput({ value: encoded.value, text }, new Map())
      }
      writer.append(
        {
          type: "dev.dandori.task.resolved.v1",
          data: { task, as, reason, ...stored },
        },
        `${run}/${task}`,
      )
      yield* writer.durable.pipe(Effect.mapError((error) => new LedgerFailed({ stream, reason: error.message })))
    }),
  )
})

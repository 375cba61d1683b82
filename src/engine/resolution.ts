import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Event } from "../domain/event.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import { Settings } from "../services/settings.ts"
import * as Errors from "./errors.ts"
import * as KeptValue from "./kept-value.ts"
import * as OutputLimit from "./output-limit.ts"
import type { Prepared } from "./prepared.ts"
import { type RunState, taskOf } from "./run-state.ts"

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
  /** Who says so. */
  readonly by?: string
}

/** The event that a resolution amounts to in a state, or why there is none. The output is decoded by the task type's schema. */
export const judge = (
  run: string,
  prepared: Pick<Prepared, "plan" | "types">,
  state: RunState,
  { as, by, output, reason, task }: Resolution,
): Result.Result<Event, NotUnknown | OutputRefused> => {
  const index = CompiledPlan.indexOfId(prepared.plan, task)
  if (index === -1) return Result.fail(new NotUnknown({ run, task }))
  const { status } = taskOf(state, task)
  if (status !== "unknown") return Result.fail(new NotUnknown({ run, task, status }))
  const said = { task, as, reason, ...(by === undefined ? {} : { by }) }
  const type = "dev.dandori.task.resolved.v1"
  if (as === "failed") return Result.succeed({ type, data: said })
  const prepare = prepared.types.get(CompiledPlan.taskOfNode(prepared.plan, index).type)
  const decoded: Exit.Exit<unknown, unknown> = prepare?.decodeOutput(output) ?? Exit.fail("it is missing")
  const encoded = Exit.isSuccess(decoded) ? prepare?.encodeOutput(decoded.value) : undefined
  if (encoded === undefined || Exit.isFailure(encoded)) {
    const fault = Errors.decodeFailure("OutputInvalid", `The output of ${task}`, decoded)
    return Result.fail(new OutputRefused({ reason: fault.message }))
  }
  return Result.succeed({ type, data: { ...said, output: encoded.value } })
}

const outputOf = (event: Event) =>
  event.type === "dev.dandori.task.resolved.v1" && "output" in event.data ? event.data : undefined

/** Refuses an output that is larger than the configuration allows. */
export const checkSize = Effect.fnUntraced(function* (event: Event) {
  const data = outputOf(event)
  const { limits } = (yield* Settings).sections
  const tooLarge = data === undefined ? undefined : OutputLimit.refuse(data.task, data.output, limits)
  if (tooLarge !== undefined) return yield* new OutputRefused({ reason: tooLarge.message })
})

/** The event as it is appended: a large output becomes an artifact, kept in `large` by its digest, as a task's own would. */
export const recordable = Effect.fnUntraced(function* (event: Event, large: Map<string, unknown>) {
  const data = outputOf(event)
  if (data === undefined) return event
  yield* checkSize(event)
  const { output, ...said } = data
  const stored = yield* KeptValue.storeOutput({ value: output, text: JSON.stringify(output) }, large)
  return { type: "dev.dandori.task.resolved.v1", data: { ...said, ...stored } } as const
})

import * as Effect from "effect/Effect"
import type { ErrorData } from "../domain/event.ts"
import type { Started } from "./attempt-run.ts"
import type { Shared } from "./attempt-services.ts"
import * as KeptValue from "./kept-value.ts"
import type { Recorder } from "./recorder.ts"

/** An attempt that failed; `facts` is what is said beside the error. */
export const failed = (
  shared: Shared,
  recorder: Recorder,
  { task, attempt }: Started,
  error: ErrorData,
  facts: object = {},
): Effect.Effect<void> =>
  Effect.sync(() => {
    const safe = KeptValue.redacted(shared.secrets, { error, ...facts }).value as { readonly error: ErrorData }
    recorder.record({ type: "dev.dandori.attempt.failed.v1", data: { task: task.id, attempt, ...safe } }, task.id)
  })

/** An attempt of which nobody knows whether its effect happened. */
export const unknown = ({ secrets }: Shared, recorder: Recorder, { task, attempt }: Started, why: string): void => {
  const data = { task: task.id, attempt, reason: secrets.redact(why) }
  recorder.record({ type: "dev.dandori.attempt.unknown.v1", data }, task.id)
}

/** An attempt that ended without a result; `orderly`: since its process let go of the run. */
export const lose = (
  recorder: Recorder,
  { attempt, task }: Pick<Started, "task" | "attempt">,
  reason: string,
  orderly = false,
): void => {
  const data = { task: task.id, attempt, reason, ...(orderly ? { orderly } : {}) }
  recorder.record({ type: "dev.dandori.attempt.lost.v1", data }, task.id)
}

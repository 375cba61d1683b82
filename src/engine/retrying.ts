import type { ErrorData } from "../domain/event.ts"
import { type PlanTask, defaultAttempts, defaultBackoff } from "../domain/plan.ts"
import * as Sha256 from "../domain/sha256.ts"

/** Tag of the error that a gate's FAILED amounts to. */
export const gateFailed = "GateFailed"

const again = (task: PlanTask) => task.effects === "pure" || task.effects === "idempotent"

const left = (task: PlanTask, attempt: number) => attempt < (task.retry?.attempts ?? defaultAttempts)

/**
 * Whether a failed attempt is followed by another. Only errors that refused before any change are, in every class; a
 * gate's verdict never is.
 */
export const afterError = (task: PlanTask, attempt: number, error: ErrorData): boolean =>
  left(task, attempt) &&
  error.tag !== gateFailed &&
  (task.retry?.on === undefined ? error.transient === true : task.retry.on.includes(error.tag)) &&
  (again(task) || error.notApplied === true)

/** Whether a timed-out attempt is followed by another: only when `retry.on` names TimedOut. */
export const afterTimeout = (task: PlanTask, attempt: number): boolean =>
  left(task, attempt) && again(task) && task.retry?.on?.includes("TimedOut") === true

/** So many attempts of a task do not count at most: what stops its own process would never end otherwise. */
const mostSpared = 20

/** Whether an attempt that an orderly stop interrupted does not count, where so many did not already. */
export const isSpared = (spared: number): boolean => spared < mostSpared

/** Whether a lost attempt is followed by another. The shell says `lost` of a `once` task only when nothing happened. */
export const afterLoss = (task: PlanTask, attempt: number): boolean => left(task, attempt)

/**
 * Milliseconds to wait before attempt `next`. Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
 * draws from the ids, so that the core needs no randomness and a replay agrees.
 */
export const delay = (task: PlanTask, next: number, seed: string): number => {
  const backoff = task.retry?.backoff ?? defaultBackoff
  const full = Math.min(backoff.max, backoff.initial * Math.min(backoff.factor ** (next - 2), Number.MAX_VALUE))
  if (backoff.jitter === "none") return Math.round(full)
  const draw = Number.parseInt(Sha256.of(`${seed}\n${task.id}\n${next}`).slice(0, 12), 16) / 2 ** 48
  return Math.round(full * draw)
}

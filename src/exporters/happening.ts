import type { Entry, ErrorData, Event, EventData } from "../domain/event.ts"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import type { GateResult } from "../domain/gate.ts"

/** How an attempt ended, when it has ended for good. */
export type Outcome = "succeeded" | "failed" | "timed_out" | "cancelled" | "lost"

/** The tag and the message of an error. */
export type Failure = Pick<ErrorData, "tag" | "message">

/** An attempt and what is known of it. Times are milliseconds since the epoch. */
export interface Attempt {
  readonly task: string
  readonly attempt: number
  readonly started: number
  readonly input: unknown
}

/**
 * An attempt that has ended. `gate` is what it said of the bytes that it judged. Without `hasIntent` it failed before it
 * started: its condition or its input was wrong.
 */
export interface EndedAttempt extends Attempt {
  readonly hasIntent: boolean
  readonly ended: number
  readonly outcome: Outcome
  readonly error: Failure | undefined
  readonly output: unknown
  readonly gate: { readonly type: string; readonly result: GateResult } | undefined
}

/** What an entry of a run's stream means to those outside. `error` is that of the first task that did not make it. */
export type Happening = { readonly sequence: number; readonly time: number } & (
  | { readonly kind: "run-started"; readonly created: EventData<"dev.dandori.run.created.v1">; readonly source: string }
  | { readonly kind: "attempt-started"; readonly attempt: Attempt }
  | { readonly kind: "attempt-ended"; readonly attempt: EndedAttempt }
  | {
      readonly kind: "run-ended"
      readonly status: FinalRunStatus
      readonly durationMillis: number
      readonly error: Failure | undefined
    }
)

/** How an attempt ended, by the event that says so; undefined for other events, and while nobody knows. */
const endOf = (event: Event): Pick<EndedAttempt, "outcome" | "error" | "output"> | undefined => {
  switch (event.type) {
    case "dev.dandori.attempt.succeeded.v1":
      return { outcome: "succeeded", error: undefined, output: event.data.output }
    case "dev.dandori.attempt.failed.v1":
      return { outcome: "failed", error: event.data.error, output: event.data.output }
    case "dev.dandori.attempt.timed_out.v1": {
      const message = `It took longer than ${event.data.timeoutMillis} ms`
      return { outcome: "timed_out", error: { tag: "TimedOut", message }, output: undefined }
    }
    case "dev.dandori.attempt.cancelled.v1":
      return { outcome: "cancelled", error: undefined, output: undefined }
    case "dev.dandori.attempt.lost.v1":
      return { outcome: "lost", error: { tag: "Lost", message: event.data.reason }, output: undefined }
    case "dev.dandori.task.resolved.v1": {
      const { as, output, reason } = event.data
      const error = as === "failed" ? { tag: "Resolved", message: reason } : undefined
      return { outcome: as, error, output }
    }
    default:
      return undefined
  }
}

/**
 * What the entries of a run's stream mean, in their order. Each happening follows from the entries up to its own, so that
 * a longer stream begins with the same happenings. Reading the stream has checked the entries' data; types that this
 * program does not know mean nothing.
 */
export function* happenings(entries: ReadonlyArray<Entry>): Generator<Happening> {
  const open = new Map<string, Attempt>()
  const gates = new Map<string, EndedAttempt["gate"]>()
  const errors = new Map<string, Failure>()
  for (const entry of entries) {
    const event = { type: entry.type, data: entry.data } as Event
    const time = Date.parse(entry.time)
    const at = { sequence: Number(entry.sequence), time }
    switch (event.type) {
      case "dev.dandori.run.created.v1":
        yield { ...at, kind: "run-started", created: event.data, source: entry.source }
        break
      case "dev.dandori.attempt.started.v1": {
        const { attempt, input, task } = event.data
        const started: Attempt = { task, attempt, started: time, input }
        open.set(task, started)
        yield { ...at, kind: "attempt-started", attempt: started }
        break
      }
      case "dev.dandori.gate.passed.v1":
      case "dev.dandori.gate.failed.v1":
        gates.set(event.data.task, { type: event.data.type, result: event.data.gate })
        break
      case "dev.dandori.run.finished.v1": {
        const [first] = errors
        const error = first && { tag: first[1].tag, message: `Task ${first[0]}: ${first[1].message}` }
        yield { ...at, kind: "run-ended", ...event.data, error }
        break
      }
      default: {
        const end = endOf(event)
        if (end === undefined) break
        const { task } = event.data as { readonly task: string }
        const number = "attempt" in event.data ? event.data.attempt : 1
        const hasIntent = open.has(task)
        const started = open.get(task) ?? { task, attempt: number, started: time, input: undefined }
        const attempt: EndedAttempt = { ...started, ...end, hasIntent, ended: time, gate: gates.get(task) }
        open.delete(task)
        gates.delete(task)
        if (end.error === undefined) errors.delete(task)
        else if (!errors.has(task)) errors.set(task, end.error)
        yield { ...at, kind: "attempt-ended", attempt }
      }
    }
  }
}

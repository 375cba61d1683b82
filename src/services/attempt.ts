import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import type { EnvironmentName } from "../domain/names.ts"
import type { Sha256 } from "../domain/sha256.ts"

/** The attempt that is running: who and what it is. Provided by the engine to each attempt. */
export class Attempt extends Context.Service<
  Attempt,
  {
    readonly run: string
    readonly pipeline: string
    readonly task: string
    /** From 1. */
    readonly attempt: number
    readonly plan: Sha256
    readonly env: EnvironmentName
    /** Same for every attempt of this task in this run. */
    readonly idempotencyKey: string
    /** Entry hash of the intent (`attempt.started`) of this attempt. */
    readonly intent: Sha256
    /** When the run was created, milliseconds since the epoch: what a reproducible name is made from. */
    readonly runCreated: number
    /** The operating system's user, or the owner of the API token. */
    readonly who: string
    /** Who asked for the run. */
    readonly requester: string
    /** Who agreed to this task before it started; the requester is among them only where env dev allows that. */
    readonly approvedBy: ReadonlyArray<string>
    /** In `onFailure`, `onCancel` and `finally`: what their pipeline's tasks have come to, as `run.status` says it. */
    readonly handles?: FinalRunStatus
    /** A folder of this attempt's own, made by the engine, removed when the run has ended. */
    readonly scratch: string
    /** Writes a line to the attempt's log. */
    readonly log: (line: string) => Effect.Effect<void>
    /** Adds facts to the attempt's result event (counts, destinations, timings). */
    readonly note: (facts: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  }
>()("dandori/services/Attempt") {}

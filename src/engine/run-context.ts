import type * as Effect from "effect/Effect"
import type { EnvironmentName } from "../domain/names.ts"
import type { Sha256 } from "../domain/sha256.ts"
import type * as Errors from "./errors.ts"

/** Facts of a run that all of its attempts share. */
export interface RunContext {
  readonly id: string
  readonly pipeline: string
  readonly plan: Sha256
  readonly env: EnvironmentName
  readonly who: string
  /** Who asked for the run; never one of its approvers. */
  readonly requester: string
  /** Milliseconds since the epoch. */
  readonly created: number
  /** With `--only`: the task that is run; the others are skipped. */
  readonly only?: string
  readonly params: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string>>
  /** Succeeds once the root stream knows the run; no effect starts before. */
  readonly opened: Effect.Effect<void, Errors.LedgerLost>
}

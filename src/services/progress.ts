import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** How far long work is. Shown live, never written to the ledger. */
export interface ProgressReport {
  readonly done: number
  readonly total?: number
  readonly unit?: string
  readonly note?: string
}

/** Where a task says how far it is. */
export class Progress extends Context.Service<
  Progress,
  { readonly report: (progress: ProgressReport) => Effect.Effect<void> }
>()("dandori/services/Progress") {}

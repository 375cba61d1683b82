import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { EvidenceError } from "./evidence.ts"

/** A run that has not ended, and whether its record or its plan names something. */
export interface UnfinishedRun {
  readonly run: string
  readonly pipeline: string
  /** Whether a value of its record, or of a task in its plan, is this name or holds it as a word. */
  readonly names: (name: string) => boolean
}

/** The runs of the ledger that have not ended: what they name must stay as it is. */
export class UnfinishedRuns extends Context.Service<
  UnfinishedRuns,
  {
    /**
     * All of them, oldest first. What tasks of the given types were given and gave is left out, and so are the params that
     * only such tasks refer to. A record that is damaged counts with all that is there; one whose plan cannot be read
     * names everything.
     */
    readonly list: (without: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<UnfinishedRun>, EvidenceError>
  }
>()("dandori/services/UnfinishedRuns") {}

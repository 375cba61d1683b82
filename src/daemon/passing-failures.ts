import type { GroupBusy } from "../engine/turn.ts"

/** What a try to begin a run, or to go on with it, may fail with. */
export interface Failure {
  readonly _tag?: string
  readonly message: string
}

const passing: ReadonlySet<string> = new Set([
  "ArtifactError",
  "FileFailed",
  "LeasesUnavailable",
  "LedgerFailed",
  "LedgerLost",
  "RunEnded",
  "StreamBusy",
  "StreamEnded",
  "StreamMissing",
  "SurroundingsMissing",
  "TurnLost",
])

/**
 * Whether the failure of a try passes by itself, so that the run waits for it; any other ends the run as failed. A group
 * that is taken by the run itself passes: another process has just begun it.
 */
export const passes = (failure: Failure, run: string): boolean => {
  if (failure._tag === "GroupBusy") return (failure as GroupBusy).runs.includes(run)
  return failure._tag !== undefined && passing.has(failure._tag)
}

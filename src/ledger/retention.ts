import * as Effect from "effect/Effect"
import * as ArtifactRetention from "./artifact-retention.ts"
import * as Purge from "./purge.ts"

/**
 * What is done about once an hour in a process that stays: purges the runs that the retention section lets go, some at a
 * time, and sweeps the artifacts once a day. It may be interrupted at any moment; the next call takes it up.
 */
export const apply = Effect.fn("Retention.apply")(function* (most?: number) {
  const { left, purged } = yield* Purge.applyRules(most)
  return { left, purged, artifacts: yield* ArtifactRetention.sweepDaily() }
})

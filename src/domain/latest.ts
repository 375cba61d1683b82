import * as Schema from "effect/Schema"
import { IncidentId } from "./incident.ts"
import { Sha256 } from "./sha256.ts"

/**
 * `latest.json` at a destination's root: the newest snapshot that was verified as complete. It lies at
 * `snapshots/<snapshot>/`, has so many objects and bytes, and `root` is that of its manifest.
 */
export const Latest = Schema.Struct({
  format: Schema.Literal("dandori-latest/1"),
  snapshot: Schema.String,
  incident: IncidentId,
  objects: Schema.Int,
  bytes: Schema.Int,
  root: Sha256,
}).annotate({ identifier: "Latest" })
export type Latest = typeof Latest.Type

/**
 * Why the pointer is not moved to a snapshot; undefined when it may be. A snapshot may be smaller than the one before by a
 * share of its objects and of its bytes.
 */
export const moveProblem = (from: Latest, to: Latest, maxShrink: number): string | undefined => {
  if (from.snapshot > to.snapshot) return `it points to the newer snapshot ${from.snapshot} of ${from.incident}`
  for (const of of ["objects", "bytes"] as const) {
    const [before, now] = [from[of], to[of]]
    if (now >= before * (1 - maxShrink)) continue
    const percent = Math.round(maxShrink * 100)
    return `the snapshot has ${now} ${of} and ${from.snapshot} has ${before}: it shrank by more than ${percent}%; look at what is missing, or run this again with --may-shrink`
  }
  return undefined
}

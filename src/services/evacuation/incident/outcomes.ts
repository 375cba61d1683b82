import * as Effect from "effect/Effect"
import { Collected } from "../../../domain/collected.ts"
import type { Collector } from "../../../domain/config/evacuation.ts"
import { Settings } from "../../settings.ts"
import { type IncidentFolder, readLines } from "./incidents.ts"
import * as Seal from "./seal.ts"

const bundleOf = (collector: Collector) => (collector.kind === "files" ? collector.to : "evidence")

/**
 * How the collectors of an incident ended, as it was written down, in order. One that is configured and of which nothing was
 * written, because the disk was full or the call was killed, has failed: nobody knows what it would have taken. Once an
 * evacuation is complete it is what it is.
 */
export const read = Effect.fn("Outcomes.read")(function* (folder: IncidentFolder) {
  const { collectors } = (yield* Settings).sections.evacuation
  const written = yield* readLines(folder.path, "collected.ndjson", Collected)
  if (yield* Seal.isSet(folder)) return written
  const known = new Set(written.map(({ collector }) => collector))
  const unknown = collectors.flatMap((collector): ReadonlyArray<Collected> => {
    if (known.has(collector.name)) return []
    const { began } = folder.call
    const reason = "how it ended was not written down; call again"
    const nothing = { files: 0, bytes: 0 }
    return [
      {
        collector: collector.name,
        to: bundleOf(collector),
        outcome: "failed",
        began,
        ended: began,
        ...nothing,
        reason,
      },
    ]
  })
  return [...written, ...unknown]
})

import type { EventData } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as Occurrences from "./occurrences.ts"
import type { Definition } from "./schedule-state.ts"

/** Which ticks a backfill is about. */
export type Range = Pick<EventData<"dev.dandori.schedule.backfill.requested.v1">, "from" | "to" | "definition">

/** Ticks of one backfill at most. */
export const mostTicks = 10_000

/**
 * The ticks of a backfill, oldest first, each with the plan that it is run with; at most one more than a backfill may have.
 * With the definition of today these are the ticks that what was deployed last would have had all along.
 */
export const ticksOf = (
  definitions: ReadonlyArray<Definition>,
  range: Range,
): ReadonlyArray<{ readonly tick: number; readonly plan: Sha256 }> => {
  const [from, to] = [Date.parse(range.from), Date.parse(range.to)]
  const last = definitions.at(-1)
  const used = range.definition === "then" ? definitions : last === undefined ? [] : [{ ...last, from, to }]
  const found: Array<{ readonly tick: number; readonly plan: Sha256 }> = []
  for (const definition of used) {
    const until = Math.min(to, definition.to ?? Infinity)
    for (const { at } of Occurrences.between(definition.schedule, Math.max(from, definition.from), until)) {
      found.push({ tick: at, plan: definition.plan })
      if (found.length > mostTicks) return found
    }
  }
  return found
}

import type { Incomplete } from "../../engine/books.ts"
import type { Hint } from "../hint.ts"
import { count } from "../plain-text.ts"
import { dateTime } from "./duration.ts"
import { clean } from "./line.ts"

/** What the record of a best-effort run lacks, what that means, and what to do about it. */
export const incompleteLines = (
  { hint, run }: { readonly hint: Hint; readonly run: string },
  incomplete: Incomplete | undefined,
): ReadonlyArray<string> => {
  if (incomplete === undefined) return []
  const { events, reason, since } = incomplete
  if (events === 0) {
    return [
      `record incomplete: the run's own events are written, but not what the root stream says of it: ${clean(reason)}`,
      "The next run in this project adds it.",
    ]
  }
  const from = since === undefined ? "" : ` since ${dateTime(since)}`
  return [
    `record incomplete: ${count(events, "event", "events")}${from} could not be written: ${clean(reason)}`,
    "They are lost with this process: the record ends before them, and the run counts as interrupted.",
    `When that is mended, this does again what is not recorded: ${hint.either(`runs resume ${run}`)}`,
  ]
}

import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as StreamTail from "../ledger/stream-tail.ts"
import * as Testimony from "../ledger/testimony.ts"
import { plain } from "./plain-text.ts"

/** A run that was purged, as the root tells it. */
export interface PurgedRun extends Testimony.Purged {
  readonly run: string
}

/** Least number of characters by which a purged run is found. */
const shortest = 4

/** The runs that the root says were purged, by id; none where the root does not verify. */
export const all: Effect.Effect<ReadonlyMap<string, PurgedRun>, never, Ledger> = Effect.gen(function* () {
  const found = new Map<string, PurgedRun>()
  yield* StreamTail.whole(yield* Ledger, StreamName.root, (entry) => {
    const run = StreamName.runOf(Testimony.streamOf(entry))
    if (run === undefined || found.has(run)) return
    const said = Testimony.nothing()
    if (Testimony.add(said, entry) && said.purged !== undefined) found.set(run, { run, ...said.purged })
  })
  return found
}).pipe(Effect.orElseSucceed(() => new Map<string, PurgedRun>()))

/** The one purged run whose id begins or ends with these characters. */
export const find = Effect.fnUntraced(function* (part: string) {
  if (part.length < shortest) return undefined
  const found = [...(yield* all).values()].filter(({ run }) => run.startsWith(part) || run.endsWith(part))
  return found.length === 1 ? found[0] : undefined
})

/** Why it was purged, on one line. */
export const why = ({ reason, rule }: Testimony.Purged): string =>
  plain([reason, rule].flatMap((text) => text ?? []).join("; ") || "no reason was given")

/** When, by whom and why a run was purged: the beginning of a message. */
export const describe = (purged: PurgedRun): string =>
  `Run ${purged.run} was purged at ${purged.time} by ${plain(purged.who)} (${why(purged)}): its record is gone, and line ${purged.line} of root testifies to its head`

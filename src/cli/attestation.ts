import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Entry } from "../domain/event.ts"
import { RunId } from "../domain/names.ts"
import type { Warrant } from "../domain/registry.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { shortType } from "./event-line.ts"

/** The entry that a row of the registry names as its intent, where the ledger has it. */
export type Attestation =
  | { readonly attested: false }
  | { readonly attested: true; readonly line: number; readonly time: string; readonly type: string }

const isRun = Schema.is(RunId)
const none: ReadonlyArray<Entry> = []

/** Looks up the intents of rows in the streams of their runs; each stream is read once. */
export const make = Effect.gen(function* () {
  const ledger = yield* Ledger
  const read = new Map<string, ReadonlyArray<Entry>>()
  const entriesOf = Effect.fnUntraced(function* (run: string) {
    const known = read.get(run)
    if (known !== undefined) return known
    const entries = yield* ledger.read(StreamName.ofRun(run)).pipe(
      Effect.map((chain) => chain.entries),
      Effect.catchTag("StreamMissing", () => Effect.succeed(none)),
    )
    read.set(run, entries)
    return entries
  })
  return Effect.fnUntraced(function* ({ run, intent }: Pick<Warrant, "run" | "intent">) {
    const entries = isRun(run) ? yield* entriesOf(run) : none
    const entry = entries.find(({ entryhash }) => entryhash === intent)
    const answer: Attestation =
      entry === undefined
        ? { attested: false }
        : { attested: true, line: Number(entry.sequence), time: entry.time, type: shortType(entry.type) }
    return answer
  })
})

/** For people: where the entry stands, or that there is none. */
export const describe = (intent: string, found: Attestation): string =>
  found.attested
    ? `${intent}  in the ledger: line ${found.line}, ${found.type} at ${found.time}`
    : `${intent}  UNATTESTED: the ledger has no such entry in this run`

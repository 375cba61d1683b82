import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Entry, data as eventData } from "../domain/event.ts"
import { RunId, Segment } from "../domain/names.ts"
import type { AliasMove, FilesEvent, RegistryEvent, Warrant } from "../domain/registry.ts"
import { Sha256 } from "../domain/sha256.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { shortType } from "./event-line.ts"
import * as PurgedRuns from "./purged-runs.ts"

/**
 * What the ledger says of the intent that a row of the registry names: that it wrote the row, that it is not there, or
 * that it is there and says something else than the row (`contradiction`).
 */
export type Attestation =
  | { readonly attested: true; readonly line: number; readonly time: string; readonly type: string }
  | {
      readonly attested: false
      readonly line?: number
      readonly contradiction?: string
      /** The run that wrote it was purged: what stood there, nobody can tell any more. */
      readonly purged?: PurgedRuns.PurgedRun
    }

/** A row of one of the registry's histories. */
export type HistoryRow = AliasMove | FilesEvent | RegistryEvent

const isRun = Schema.is(RunId)
const isStarted = Schema.is(eventData["dev.dandori.attempt.started.v1"])
const Named = Schema.Struct({ version: Segment, digest: Sha256 })
const isModelInput = Schema.is(Schema.Struct({ model: Named }))
/** What a purge was given. */
const isModelsInput = Schema.is(Schema.Struct({ models: Schema.Array(Named) }))
const none: ReadonlyArray<Entry> = []

/** The version that a row gives to the slot or changes, and the digest that it names for it. */
const subjectsOf = (row: HistoryRow, moves: ReadonlyArray<AliasMove>) => {
  if ("slot" in row && row.version === null) return []
  // Marks are made by a task that is told no version: it looks at all of them.
  if ("state" in row && (row.state === "due" || row.state === "kept")) return []
  const own = { version: row.version, digest: row.digest }
  // A deployment takes the version before it out: that row belongs to the intent of the one that came.
  const leaves = "to" in row && row.from === "deployed"
  const came = leaves ? moves.filter(({ from, intent }) => from === row.version && intent === row.intent) : []
  return [own, ...came.map(({ digest, version }) => ({ version, digest }))]
}

/** Why the entry cannot be what wrote the row; undefined when it can. */
const contradictionOf = (row: HistoryRow, entry: Entry, moves: ReadonlyArray<AliasMove>): string | undefined => {
  const { data } = entry
  if (entry.type !== "dev.dandori.attempt.started.v1" || !isStarted(data)) return "it is no attempt's intent"
  if (entry.authid !== row.who) return `it is by ${entry.authid}, the row says ${row.who}`
  if (data.task !== row.task) return `it is of task ${data.task}, the row says ${row.task}`
  const subjects = subjectsOf(row, moves)
  if (subjects.length === 0) return undefined
  if (isModelsInput(data.input)) {
    const [own] = subjects
    const found = data.input.models.find(({ version }) => version === own?.version)
    if (found === undefined) return `it is not for version ${own?.version ?? ""}`
    return found.digest === own?.digest ? undefined : `it is for ${found.version} with other bytes`
  }
  if (!isModelInput(data.input)) return "it names no model version"
  const { digest, version } = data.input.model
  if (!subjects.some((subject) => subject.version === version)) return `it is for version ${version}`
  return subjects.some((subject) => subject.version === version && subject.digest === digest)
    ? undefined
    : `it is for ${version} with other bytes (${digest.slice(0, 12)}…)`
}

/** Looks up the intents of rows in the streams of their runs; each stream is read once. `moves` are all of the registry. */
export const make = Effect.fnUntraced(function* (moves: ReadonlyArray<AliasMove>) {
  const ledger = yield* Ledger
  const purged = yield* PurgedRuns.all
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
  return Effect.fnUntraced(function* (row: HistoryRow) {
    const { intent, run }: Pick<Warrant, "intent" | "run"> = row
    const entries = isRun(run) ? yield* entriesOf(run) : none
    const entry = entries.find(({ entryhash }) => entryhash === intent)
    if (entry === undefined) {
      const gone = entries.length === 0 ? purged.get(run) : undefined
      return (gone === undefined ? { attested: false } : { attested: false, purged: gone }) satisfies Attestation
    }
    const line = Number(entry.sequence)
    const contradiction = contradictionOf(row, entry, moves)
    const answer: Attestation =
      contradiction === undefined
        ? { attested: true, line, time: entry.time, type: shortType(entry.type) }
        : { attested: false, line, contradiction }
    return answer
  })
})

/** For people: where the entry stands, that there is none, or that it says something else. */
export const describe = (intent: string, found: Attestation): string => {
  if (found.attested) return `${intent}  in the ledger: line ${found.line}, ${found.type} at ${found.time}`
  if (found.purged !== undefined) return `${intent}  ${PurgedRuns.describe(found.purged)}`
  return found.contradiction === undefined
    ? `${intent}  UNATTESTED: the ledger has no such entry in this run`
    : `${intent}  CONTRADICTED by line ${found.line} of the run: ${found.contradiction}`
}

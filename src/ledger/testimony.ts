import * as Schema from "effect/Schema"
import { type Entry, type EventData, data as eventData } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"
import type { Chain } from "./chain.ts"

/** Data of a root entry that says that a stream was opened. */
export const isOpened = Schema.is(eventData["dev.dandori.stream.opened.v1"])
/** Data of a root entry that says how far a stream has got; a run's stream goes no further. */
export const isClosed = Schema.is(eventData["dev.dandori.stream.closed.v1"])
/** Data of an entry of `root` or `system` that says what a checkpoint covers. */
export const isCheckpointed = Schema.is(eventData["dev.dandori.ledger.checkpointed.v1"])

/** What the root says of one stream. `line` is the root's line that says it. */
export interface Testimony {
  readonly opened: { readonly first: Sha256; readonly line: number } | undefined
  readonly closed: ReadonlyArray<{ readonly entries: number; readonly head: Sha256; readonly line: number }>
  /** Where the stream was purged. */
  readonly purged?: Purged | undefined
}

/** That a run's stream was purged as it had ended: by whom, when (RFC 3339), and by which rule or for which reason. */
export interface Purged {
  readonly entries: number
  readonly head: Sha256
  readonly line: number
  readonly who: string
  readonly time: string
  readonly rule?: string
  readonly reason?: string
}

/** The stream that a root entry is about; empty where it is about none. */
export const streamOf = ({ data }: Entry): string => (data as { readonly stream?: string } | null)?.stream ?? ""

/** What the root says of one stream while its entries are gone through. */
export interface Said extends Testimony {
  opened: Testimony["opened"]
  readonly closed: Array<Testimony["closed"][number]>
  purged: Testimony["purged"]
}

/** Nothing so far. */
export const nothing = (): Said => ({ opened: undefined, closed: [], purged: undefined })

/** Adds what an entry of the root says of its stream; false where it says nothing. The same said twice counts once. */
export const add = (known: Said, entry: Entry): boolean => {
  const { data, sequence, type } = entry
  const line = Number(sequence)
  if (type === "dev.dandori.stream.opened.v1") {
    const { first } = data as EventData<typeof type>
    known.opened ??= { first, line }
  } else if (type === "dev.dandori.stream.closed.v1") {
    const { entries, head } = data as EventData<typeof type>
    if (known.closed.at(-1)?.head !== head) known.closed.push({ entries, head, line })
  } else if (type === "dev.dandori.run.purged.v1") {
    const { run: _, stream: __, ...said } = data as EventData<typeof type>
    known.purged ??= { ...said, line, who: entry.authid, time: entry.time }
  } else return false
  return true
}

/** What the root's entries say, by stream; reading them has checked their data. */
export const testimonies = (root: ReadonlyArray<Entry>): ReadonlyMap<string, Testimony> => {
  const streams = new Map<string, Said>()
  for (const entry of root) {
    const stream = streamOf(entry)
    const known = streams.get(stream) ?? nothing()
    if (add(known, entry)) streams.set(stream, known)
  }
  return streams
}

/** What a root entry that was not written at its time, but added by a later start, stands for. */
export interface Recovered {
  readonly stream: string
  readonly line: number
}

/** The root's entries that were added after the fact: they testify to what was found then, not to what happened. */
export const recovered = (root: ReadonlyArray<Entry>): ReadonlyArray<Recovered> =>
  root
    .filter(({ data }) => (isOpened(data) || isClosed(data)) && data.recovered === true)
    .map((entry) => ({ stream: streamOf(entry), line: Number(entry.sequence) }))

/** The largest checkpoint that a stream's entries name, with the line that names it. */
export const newestCheckpoint = (entries: ReadonlyArray<Entry>) => {
  let newest: { readonly entries: number; readonly tree: string; readonly line: number } | undefined
  for (const { data, sequence } of entries) {
    if (!isCheckpointed(data) || data.entries <= (newest?.entries ?? 0)) continue
    newest = { entries: data.entries, tree: data.tree, line: Number(sequence) }
  }
  return newest
}

/** Where a run's file does not fit what the root says of it: the line and why; undefined where it does. */
export const contradiction = (chain: Chain, said: Testimony | undefined) => {
  if (said === undefined) return undefined
  const have = chain.head.sequence
  const first = chain.entries[0]?.entryhash
  if (said.opened !== undefined && first !== said.opened.first) {
    return { line: 1, reason: `line 1 is not the entry that line ${said.opened.line} of the root names` }
  }
  for (const { entries, head, line } of said.closed) {
    if (have < entries) {
      return { line: have + 1, reason: `${have} entries are there; line ${line} of the root counts ${entries}` }
    }
    if (chain.entries[entries - 1]?.entryhash !== head) {
      return { line: entries, reason: `line ${entries} is not the entry that line ${line} of the root names` }
    }
    if (have > entries || chain.fault !== undefined) {
      return { line: entries + 1, reason: `it goes on after the end that line ${line} of the root names` }
    }
  }
  return undefined
}

import * as Effect from "effect/Effect"
import type { Entry } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as Chain from "./chain.ts"
import { RootMissing, StreamDamaged } from "./errors.ts"
import { Ledger } from "./ledger.ts"
import { genesis } from "./sealing.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"
import * as Testimony from "./testimony.ts"

const mark = (recovered: boolean) => (recovered ? { recovered: true as const } : {})

/**
 * Puts in the root stream that a stream was opened; `first` is the hash of its first entry. `recovered` marks an entry
 * that is added after the fact. Durable on return.
 */
export const opened = Effect.fn("Root.opened")(function* (stream: string, first: Sha256, recovered = false) {
  const ledger = yield* Ledger
  const data = { stream, first, ...mark(recovered) }
  yield* ledger.record("root", [{ type: "dev.dandori.stream.opened.v1", data }])
})

/** Puts in the root stream that a stream has ended, with its number of entries and the last one's hash. As `opened`. */
export const closed = Effect.fn("Root.closed")(function* (
  stream: string,
  entries: number,
  head: Sha256,
  recovered = false,
) {
  const ledger = yield* Ledger
  const data = { stream, entries, head, ...mark(recovered) }
  yield* ledger.record("root", [{ type: "dev.dandori.stream.closed.v1", data }])
})

const nothing: ReadonlyArray<Entry> = []

/**
 * What `root`, `system` or a schedule's stream has, verified; an empty chain where there is no such stream. What a crash
 * tore at its end is left out.
 */
export const readChain = Effect.fnUntraced(function* (stream: string) {
  const ledger = yield* Ledger
  const chain = yield* ledger.read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
  if (chain === undefined) return { entries: nothing, head: genesis(stream) }
  if (chain.fault === undefined) return chain
  const bytes = yield* ledger
    .bytes(stream)
    .pipe(Effect.catchTag("StreamMissing", () => Effect.succeed(new Uint8Array())))
  if (Chain.isTornTail(bytes, chain)) return chain
  return yield* new StreamDamaged({ stream, line: chain.fault.line, reason: chain.fault.reason })
})

/** The entries of `root` or `system`, as `readChain` gives them. */
export const readWhole = (stream: "root" | "system") => Effect.map(readChain(stream), ({ entries }) => entries)

const finished = "dev.dandori.run.finished.v1"

const hasFinished = Effect.fnUntraced(function* (stream: string) {
  const chain = yield* (yield* Ledger).read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
  return chain?.entries.at(-1)?.type === finished
})

/** Fails when other streams testify to root entries that are gone: entries made anew would only cover that up. */
const refuseLoss = Effect.fnUntraced(function* (entries: number, runs: ReadonlyArray<string>) {
  const sealed = Testimony.newestCheckpoint(yield* readWhole("system"))
  if (sealed !== undefined && entries < sealed.entries) {
    const reason = `${entries} entries are there; line ${sealed.line} of system names a checkpoint of ${sealed.entries}`
    return yield* new RootMissing({ reason })
  }
  if (entries > 0) return
  for (const stream of runs) {
    if (yield* hasFinished(stream)) return yield* new RootMissing({ reason: `it is gone, but ${stream} has finished` })
  }
})

/** Adds what the root lacks of one run that nobody writes; removes a file that its process left without an entry. */
const reconcileRun = Effect.fnUntraced(function* (stream: string, said: Testimony.Testimony | undefined) {
  const ledger = yield* Ledger
  const added = { opened: 0, closed: 0 }
  const chain = yield* ledger.read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
  if (chain === undefined && said === undefined) yield* ledger.discard(stream)
  const first = chain?.entries[0]
  if (chain === undefined || first === undefined) return added
  if (said?.opened === undefined) {
    yield* opened(stream, first.entryhash, true)
    added.opened++
  } else if (said.opened.first !== first.entryhash) return added
  const over = chain.fault === undefined && chain.entries.at(-1)?.type === finished
  if (over && (said === undefined || said.closed.length === 0)) {
    yield* closed(stream, chain.head.sequence, chain.head.hash, true)
    yield* ledger.seal(stream)
    added.closed++
  }
  return added
})

/**
 * Adds the root entries that a crash swallowed, marked as recovered: of schedules and of runs that nobody writes, those
 * that the root does not know, and of runs those that have finished without it. Reads no run that the root has closed. Two processes may add
 * the same entry twice, which says the same. Fails with `StreamDamaged` when the root or `system` does not verify, and
 * with `RootMissing` when entries of the root are gone: before it a process must not start anything.
 */
export const reconcile = Effect.fn("Root.reconcile")(function* () {
  const ledger = yield* Ledger
  const before = yield* ledger.testimonies
  const runs = (yield* ledger.runs).map(StreamName.ofRun)
  yield* refuseLoss(before.entries, runs)
  const candidates = runs.filter((stream) => !RootTestimonies.isOver(before, stream))
  const free = yield* Effect.filter(candidates, (stream) => Effect.map(ledger.owned(stream), (owned) => !owned))
  const added = { opened: 0, closed: 0 }
  for (const stream of yield* ledger.schedules) {
    if (before.of(stream) !== undefined) continue
    const [first] = (yield* readChain(stream)).entries
    if (first === undefined) continue
    yield* opened(stream, first.entryhash, true)
    added.opened++
  }
  if (free.length === 0) return added
  const now = yield* ledger.testimonies
  for (const stream of free) {
    if (RootTestimonies.isOver(now, stream)) continue
    const one = yield* reconcileRun(stream, now.of(stream))
    added.opened += one.opened
    added.closed += one.closed
  }
  return added
})

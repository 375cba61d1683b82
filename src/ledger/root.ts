import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { data as eventData } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { LedgerFailed } from "./errors.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"

/** Data of a root entry that says that a stream was opened. */
export const isOpened = Schema.is(eventData["dev.dandori.stream.opened.v1"])
/** Data of a root entry that says how far a stream has got; a run's stream goes no further. */
export const isClosed = Schema.is(eventData["dev.dandori.stream.closed.v1"])

/** Puts in the root stream that a stream was opened; `first` is the hash of its first entry. Durable on return. */
export const opened = Effect.fn("Root.opened")(function* (stream: string, first: Sha256) {
  const ledger = yield* Ledger
  yield* ledger.record("root", [{ type: "dev.dandori.stream.opened.v1", data: { stream, first } }])
})

/** Puts in the root stream that a stream has ended, with its number of entries and the last one's hash. Durable on return. */
export const closed = Effect.fn("Root.closed")(function* (stream: string, entries: number, head: Sha256) {
  const ledger = yield* Ledger
  yield* ledger.record("root", [{ type: "dev.dandori.stream.closed.v1", data: { stream, entries, head } }])
})

/** Streams that the root's text says were opened and closed. Nothing is verified: this only looks for what is missing. */
const known = Effect.fnUntraced(
  function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join((yield* Ledger).folder, StreamName.segmentPath(StreamName.root))
    const streams = { opened: new Set<string>(), closed: new Set<string>() }
    if (!(yield* fs.exists(file))) return streams
    for (const line of (yield* fs.readFileString(file)).split("\n")) {
      const match =
        /"stream":"([^"]+)"\},"datacontenttype".*"type":"dev\.dandori\.stream\.(opened|closed)\.v1"\}$/.exec(line)
      if (match) streams[match[2] === "opened" ? "opened" : "closed"].add(match[1] ?? "")
    }
    return streams
  },
  Effect.mapError((error) => new LedgerFailed({ stream: StreamName.root, reason: error.message })),
)

/**
 * Adds the root entries that a crash swallowed: of runs that nobody writes, those that the root does not know, and
 * those that have finished without it. Reads the root once and no run that the root has closed. Two processes may add
 * the same entry twice, which says the same.
 */
export const reconcile = Effect.fn("Root.reconcile")(function* () {
  const ledger = yield* Ledger
  const before = yield* known()
  const candidates = (yield* ledger.runs).map(StreamName.ofRun).filter((stream) => !before.closed.has(stream))
  const free = yield* Effect.filter(candidates, (stream) => Effect.map(ledger.owned(stream), (owned) => !owned))
  const added = { opened: 0, closed: 0 }
  if (free.length === 0) return added
  const now = yield* known()
  for (const stream of free) {
    const chain = yield* ledger.read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
    const first = chain?.entries[0]
    if (chain === undefined || first === undefined) continue
    if (!now.opened.has(stream)) {
      yield* opened(stream, first.entryhash)
      added.opened++
    }
    const finished = chain.fault === undefined && chain.entries.at(-1)?.type === "dev.dandori.run.finished.v1"
    if (finished && !now.closed.has(stream)) {
      yield* closed(stream, chain.head.sequence, chain.head.hash)
      yield* ledger.seal(stream)
      added.closed++
    }
  }
  return added
})

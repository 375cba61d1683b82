import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { Ledger } from "./ledger.ts"
import { LedgerFailed } from "./errors.ts"
import * as StreamName from "./stream-name.ts"

/** Copies that are begun of a ledger from which runs are purged meanwhile. */
const tries = 4

/**
 * Writes a ledger's streams and checkpoints into a folder as segment files: the same bytes, wherever they lie. What is
 * written meanwhile may be in one stream and not yet in another.
 */
export const copyTo = Effect.fn("Ledger.copyTo")(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const ledger = yield* Ledger
  const write = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
    const file = path.join(folder, name)
    yield* fs.makeDirectory(path.dirname(file), { recursive: true })
    yield* fs.writeFile(file, bytes)
  })
  /** False where there is no such stream. */
  const copyStream = (stream: string) =>
    ledger.bytes(stream).pipe(
      Effect.flatMap((bytes) => write(StreamName.segmentPath(stream), bytes)),
      Effect.as(true),
      Effect.catchTag("StreamMissing", () => Effect.succeed(false)),
    )
  /** Copies the streams; false where one was purged meanwhile, which the root as it was copied does not say. */
  const copyStreams = Effect.gen(function* () {
    const before = yield* ledger.runs
    // What testifies to others goes first: they may only have more than it says.
    yield* copyStream(StreamName.root)
    yield* copyStream(StreamName.system)
    for (const schedule of yield* ledger.schedules) yield* copyStream(schedule)
    const runs = yield* ledger.runs
    const left = new Set(runs)
    let whole = before.every((run) => left.has(run))
    for (const run of runs) whole = (yield* copyStream(StreamName.ofRun(run))) && whole
    return whole
  })
  yield* Effect.gen(function* () {
    for (let made = 0; made < tries && !(yield* copyStreams); made++);
    for (const { name, text } of yield* ledger.checkpoints) yield* write(name, new TextEncoder().encode(text))
  }).pipe(
    Effect.catchTag("PlatformError", ({ message }) =>
      Effect.fail(new LedgerFailed({ stream: "the ledger", reason: message })),
    ),
  )
})

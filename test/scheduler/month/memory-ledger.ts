import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Actor } from "../../../src/domain/actor.ts"
import type { Event } from "../../../src/domain/event.ts"
import * as Chain from "../../../src/ledger/chain.ts"
import { StreamMissing, StreamMoved } from "../../../src/ledger/errors.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as RootTestimonies from "../../../src/ledger/root-testimonies.ts"
import { type Author, type Head, genesis, seal } from "../../../src/ledger/sealing.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import { Acting } from "../../../src/services/acting.ts"

/** A stream as it is kept: its bytes, in a buffer with room for more, and its head. */
interface Kept {
  buffer: Buffer
  bytes: number
  head: Head
}

/** What ledgers of several processes share. */
export type Store = Map<string, Kept>

const roomFor = (kept: Kept, more: number): void => {
  if (kept.bytes + more <= kept.buffer.length) return
  const larger = Buffer.alloc(Math.max(2 * kept.buffer.length, kept.bytes + more))
  kept.buffer.copy(larger, 0, 0, kept.bytes)
  kept.buffer = larger
}

const author: Author = { source: "dandori://dev/test", authid: "tester", authtype: "user" }

/** A ledger in memory, of `root`, `system` and the streams of schedules; there are no runs in it. */
export const make = (store: Store): Ledger["Service"] => {
  let ids = 0
  const append = (stream: string, events: ReadonlyArray<Event>, by: ReadonlyArray<Actor | undefined>, time: number) => {
    const kept = store.get(stream) ?? { buffer: Buffer.alloc(1 << 16), bytes: 0, head: genesis(stream) }
    store.set(stream, kept)
    const appended = events.map((event, index) => {
      const id = `00000000-0000-7000-8000-${(ids++).toString(16).padStart(12, "0")}`
      const whose = { ...author, ...by[index] }
      const sealed = seal(kept.head, whose, event, { id, subject: stream, time })
      roomFor(kept, 3 * sealed.line.length)
      kept.bytes += kept.buffer.write(sealed.line, kept.bytes)
      kept.head = sealed.head
      return { ...sealed.head, time, by: whose.authid }
    })
    return appended
  }
  const bytes = (stream: string, from = 0) =>
    Effect.suspend(() => {
      const kept = store.get(stream)
      return kept === undefined
        ? Effect.fail(new StreamMissing({ stream }))
        : Effect.succeed(Uint8Array.prototype.slice.call(kept.buffer.subarray(0, kept.bytes), from))
    })
  const none = Effect.die(new Error("There are no runs in this ledger"))
  return Ledger.of({
    create: () => none,
    reopen: () => none,
    read: (stream) => Effect.map(bytes(stream), (all) => Chain.read(stream, all)),
    bytes,
    owned: () => Effect.succeed(false),
    runs: Effect.succeed([]),
    disorder: Effect.succeed({ strays: [], misplaced: [] }),
    size: Effect.sync(() => ({
      bytes: [...store.values()].reduce((sum, kept) => sum + kept.bytes, 0),
      count: store.size,
    })),
    record: (stream, events) =>
      Effect.gen(function* () {
        const actor = yield* Acting
        const time = yield* Clock.currentTimeMillis
        append(
          stream,
          events,
          events.map(() => actor),
          time,
        )
      }),
    schedules: Effect.sync(() => [...store.keys()].filter((name) => StreamName.schedulesOf(name) !== undefined)),
    extend: (stream, after, events, by = []) =>
      Effect.flatMap(Clock.currentTimeMillis, (time) => {
        const { hash, sequence } = store.get(stream)?.head ?? genesis(stream)
        if (after.sequence !== sequence || after.hash !== hash) return Effect.fail(new StreamMoved({ stream }))
        return Effect.succeed(append(stream, events, by, time))
      }),
    testimonies: RootTestimonies.make((from) =>
      Effect.catchTag(bytes(StreamName.root, from), "StreamMissing", () => Effect.succeed(new Uint8Array())),
    ),
    newestCheckpoint: Effect.undefined,
    checkpoints: Effect.succeed([]),
    keepCheckpoint: () => Effect.void,
    seal: () => Effect.void,
    remove: () => none,
    discard: () => Effect.void,
  })
}

import * as Effect from "effect/Effect"
import type { Entry } from "../domain/event.ts"
import type * as Bookmark from "./bookmark.ts"
import type * as Chain from "./chain.ts"
import type { StreamDamaged } from "./errors.ts"
import * as StreamName from "./stream-name.ts"
import * as StreamTail from "./stream-tail.ts"
import * as Testimony from "./testimony.ts"

/** What the root says of the streams: how far it was read at this look, and of a stream what any look since has found. */
export interface RootTestimonies {
  /** How many entries the root has. */
  readonly entries: number
  /** Where they end. */
  readonly end: Chain.Start
  /** Of a stream that was not purged; of one that is no run's only how far it got last. */
  readonly of: (stream: string) => Testimony.Testimony | undefined
  /** The streams that it speaks of, but for those that were purged. */
  readonly streams: () => Iterable<string>
  /** Whether the run of a stream was purged. */
  readonly isPurged: (stream: string) => boolean
}

/** Whether the root says that a run has ended, purged or not. */
export const isOver = ({ isPurged, of }: RootTestimonies, stream: string): boolean =>
  (of(stream)?.closed ?? []).length > 0 || isPurged(stream)

/** Whether the root names a stream. */
export const isNamed = ({ isPurged, of }: RootTestimonies, stream: string): boolean =>
  of(stream) !== undefined || isPurged(stream)

/** As little as tells one run from another: its id's bytes. */
const keyOf = (stream: string): string =>
  Buffer.from((StreamName.runOf(stream) ?? "").replaceAll("-", ""), "hex").toString("latin1")

const kept = (stream: string, { closed, opened }: Testimony.Said): Testimony.Said => {
  const isRun = StreamName.runOf(stream) !== undefined
  return {
    opened: opened === undefined ? undefined : { ...opened, first: StreamTail.own(opened.first) },
    closed: (isRun ? closed : closed.slice(-1)).map((one) => ({ ...one, head: StreamTail.own(one.head) })),
    purged: undefined,
  }
}

/**
 * Keeps what the root says, and at each look reads only what was added to it since. Of a run that was purged only that is
 * kept: who looks again and again for years has in memory what there is, and not what there was.
 */
export const make = <E>(bytesFrom: StreamTail.BytesFrom<E>): Effect.Effect<RootTestimonies, E | StreamDamaged> => {
  const streams = new Map<string, Testimony.Said>()
  const purged = new Set<string>()
  const isPurged = (stream: string) => StreamName.runOf(stream) !== undefined && purged.has(keyOf(stream))
  const take = (entry: Entry) => {
    const stream = Testimony.streamOf(entry)
    if (isPurged(stream)) return
    const said = streams.get(stream) ?? Testimony.nothing()
    if (!Testimony.add(said, entry)) return
    if (said.purged === undefined) return void streams.set(StreamTail.own(stream), kept(stream, said))
    streams.delete(stream)
    purged.add(keyOf(stream))
  }
  const fold: Bookmark.Fold = {
    name: "root-testimonies",
    toJson: () => ({
      streams: [...streams],
      purged: [...purged].map((key) => Buffer.from(key, "latin1").toString("hex")),
    }),
    fromJson: (json) => {
      const found = json as { streams: ReadonlyArray<[string, Testimony.Testimony]>; purged: ReadonlyArray<string> }
      for (const [stream, { closed, opened }] of found.streams)
        streams.set(stream, { opened, closed: [...closed], purged: undefined })
      for (const key of found.purged) purged.add(Buffer.from(key, "hex").toString("latin1"))
      return true
    },
  }
  const tail = StreamTail.make(StreamName.root, bytesFrom, take, fold)
  return Effect.map(tail.readOn, (end) => ({
    entries: end.head.sequence,
    end,
    of: (stream) => streams.get(stream),
    streams: () => streams.keys(),
    isPurged,
  }))
}

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Entry } from "../../domain/event.ts"
import * as Chain from "../../ledger/chain.ts"
import type { LedgerFailed, StreamMissing } from "../../ledger/errors.ts"
import { Ledger } from "../../ledger/ledger.ts"
import * as Sealing from "../../ledger/sealing.ts"
import * as StreamName from "../../ledger/stream-name.ts"
import { Host, type HostUnready } from "../host.ts"
import * as Problems from "./problems.ts"

const finished = "dev.dandori.run.finished.v1"

/** Milliseconds between two looks at a stream, just after it has grown and when it has long been quiet. */
const soon = 100
const later = 1_000

/** The stream does not verify, so that nothing of it is told from there on. */
export class FeedDamaged extends Schema.TaggedError<FeedDamaged>()("FeedDamaged", {
  run: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `The stream of run ${this.run} is damaged: ${this.reason}. Look: dandori ledger verify`
  }
}

/** So many bytes of events are held that no further run is read for listeners. */
export class FeedsFull extends Schema.TaggedError<FeedsFull>()("FeedsFull", { bytes: Schema.Int }) {
  override get message() {
    return `${this.bytes} bytes of events are held for those who listen, which is the limit; try again later`
  }
}

/** Most bytes of events that are held for listeners before another run's are read. */
const mostBytes = 256 * 2 ** 20

/** An entry as a server-sent event (WHATWG HTML, section 9.2): `id` is its sequence, `data` its sealed line. */
const frameOf = (entry: Entry): Uint8Array =>
  Buffer.from(`id: ${entry.sequence}\nevent: ${entry.type}\ndata: ${Chain.lineOf(entry)}\n\n`)

/** That a run is not created after all, as a server-sent event: it stands alone, and is none of the run's. */
const notCreatedFrame = (run: string, why: string): Uint8Array => {
  const { code, detail, status, title, type } = Problems.notCreated(run, why)
  return Buffer.from(`event: problem\ndata: ${JSON.stringify({ type, status, title, detail, code })}\n\n`)
}

/** What a feed has read so far: a frame per event in order, and whether more can come. */
export interface Feed {
  readonly frames: ReadonlyArray<Uint8Array>
  readonly end: () => "open" | "finished" | FeedDamaged | LedgerFailed
  /** Waits until there are more frames than so many, or the end is known. */
  readonly beyond: (count: number) => Effect.Effect<void>
}

/** Follows one stream for all that listen to it; `held` counts the bytes of all feeds. */
const follow = Effect.fnUntraced(function* (run: string, held: { bytes: number }) {
  const ledger = yield* Ledger
  const host = yield* Host
  if (held.bytes >= mostBytes) return yield* new FeedsFull({ bytes: held.bytes })
  const stream = StreamName.ofRun(run)
  const frames: Array<Uint8Array> = []
  const listeners = new Set<() => void>()
  let end: ReturnType<Feed["end"]> = "open"
  let bytes = 0
  yield* Effect.addFinalizer(() => Effect.sync(() => (held.bytes -= bytes)))
  let start: Chain.Start = { head: Sealing.genesis(stream), bytes: 0 }
  let isCreated = false
  const add = (frame: Uint8Array) => {
    frames.push(frame)
    bytes += frame.length
    held.bytes += frame.length
  }

  /** Whether there was anything new. */
  const look = Effect.gen(function* () {
    const chain = Chain.read(stream, yield* ledger.bytes(stream, start.bytes), start)
    isCreated = true
    for (const entry of chain.entries) add(frameOf(entry))
    start = { head: chain.head, bytes: chain.validBytes }
    // A torn end is being written, or was left by a crash and is cut by whoever goes on.
    if (chain.fault !== undefined && chain.fault.kind !== "torn") {
      end = new FeedDamaged({ run, reason: chain.fault.reason })
    } else if (chain.entries.at(-1)?.type === finished) end = "finished"
    return chain.entries.length > 0
  })
  const tell = Effect.sync(() => {
    // Who is woken may listen again before the next one is.
    const woken = [...listeners]
    listeners.clear()
    for (const wake of woken) wake()
  })

  /** As `look` while the run may still have to be created; `otherwise` where nobody asks for it. */
  const lookFor = <E, R>(otherwise: (missing: StreamMissing) => Effect.Effect<boolean, E, R>) =>
    Effect.catchTag(look, "StreamMissing", (missing) =>
      Effect.flatMap(host.askedFor(run), (asked) => {
        if (asked !== undefined) return Effect.succeed(false)
        // It may have begun and ended between the two looks.
        return Effect.catchTag(look, "StreamMissing", () => otherwise(missing))
      }),
    )
  const lookOn = Effect.suspend(() => {
    if (isCreated) return look
    const isNotCreated = Effect.map(host.notCreated(run), (why = "nobody asks for it any more") => {
      add(notCreatedFrame(run, why))
      end = "finished"
      return true
    })
    // A host that cannot tell now is asked again.
    return Effect.catchTag(
      lookFor(() => isNotCreated),
      "HostUnready",
      () => Effect.succeed(false),
    )
  })

  yield* lookFor(Effect.fail)
  yield* Effect.gen(function* () {
    for (let pause = soon; end === "open";) {
      yield* Effect.sleep(pause)
      const grown = yield* lookOn
      pause = grown ? soon : Math.min(pause * 1.25, later)
      if (grown || end !== "open") yield* tell
    }
  }).pipe(
    // A stream that is gone was purged: its listeners are let go.
    Effect.catchTag("StreamMissing", () => Effect.sync(() => void (end = "finished"))),
    Effect.catchTag("LedgerFailed", (error) => Effect.sync(() => void (end = error))),
    Effect.andThen(tell),
    Effect.forkScoped,
  )
  return {
    frames,
    end: () => end,
    beyond: (count) =>
      Effect.callback<void>((resume) => {
        if (frames.length > count || end !== "open") return resume(Effect.void)
        const wake = () => resume(Effect.void)
        listeners.add(wake)
        return Effect.sync(() => void listeners.delete(wake))
      }),
  } satisfies Feed
})

/**
 * The events of runs as they come: a stream is read once, however many listen to it, and forgotten when nobody does. That of
 * a run that is asked for and waits to be created begins when it is, or tells why it is not.
 */
export class EventFeeds extends Context.Service<
  EventFeeds,
  {
    readonly of: (
      run: string,
    ) => Effect.Effect<Feed, StreamMissing | LedgerFailed | FeedsFull | HostUnready, Scope.Scope>
  }
>()("dandori/daemon/api/EventFeeds") {
  static readonly layer: Layer.Layer<EventFeeds, never, Ledger | Host> = Layer.effect(
    EventFeeds,
    Effect.gen(function* () {
      const held = { bytes: 0 }
      const feeds = yield* RcMap.make({ lookup: (run: string) => follow(run, held) })
      return EventFeeds.of({
        of: (run) =>
          // A look that failed is not kept for those who come later.
          Effect.onExit(RcMap.get(feeds, run), (exit) =>
            exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)
              ? RcMap.invalidate(feeds, run)
              : Effect.void,
          ),
      })
    }),
  )
}

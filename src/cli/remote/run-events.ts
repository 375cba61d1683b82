import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Stream from "effect/Stream"
import type { Entry } from "../../domain/event.ts"
import * as Chain from "../../ledger/chain.ts"
import * as Sealing from "../../ledger/sealing.ts"
import * as StreamName from "../../ledger/stream-name.ts"
import type { DaemonClient } from "./daemon-client.ts"
import { DaemonUnreachable, EventsAltered } from "./daemon-errors.ts"

/** A daemon says every 15 seconds that its stream still stands; after so long without a byte it is lost, milliseconds. */
const quietMillis = 45_000

/** The events of a run, each verified against the one before, whatever connections they come over. */
export const make = (daemon: DaemonClient, run: string) => {
  const stream = StreamName.ofRun(run)
  let start: Chain.Start = { head: Sealing.genesis(stream), bytes: 0 }

  const verified = (line: string): Effect.Effect<ReadonlyArray<Entry>, EventsAltered> => {
    const { entries, fault, head, validBytes } = Chain.read(stream, Buffer.from(`${line}\n`), start)
    if (fault !== undefined) return Effect.fail(new EventsAltered({ run, reason: fault.reason }))
    start = { head, bytes: validBytes }
    return Effect.succeed(entries)
  }

  const lost = (error: unknown) =>
    error instanceof EventsAltered
      ? error
      : new DaemonUnreachable({
          url: daemon.url,
          reason: error instanceof Error ? error.message : "the connection is lost",
        })

  return {
    /** How many have come. */
    count: () => start.head.sequence,
    /**
     * Takes the events that come over one connection, from where the last one ended, until `take` says that it is
     * enough; succeeds with false where the daemon ends the stream before. `opened` is done when the daemon answers.
     */
    take: <E, R>(take: (entry: Entry) => Effect.Effect<boolean, E, R>, opened: Effect.Effect<void> = Effect.void) =>
      Effect.gen(function* () {
        const response = yield* daemon.events(run, start.head.sequence)
        yield* opened
        if (response.status === 204) return false
        const entries = response.stream.pipe(
          Stream.timeoutOrElse({
            duration: quietMillis,
            orElse: () => Stream.fail(new Error(`nothing came for ${quietMillis / 1_000} s`)),
          }),
          Stream.decodeText(),
          Stream.pipeThroughChannel(Sse.decode()),
          Stream.flatMap((event) => Stream.fromIterableEffect(verified(event.data))),
          Stream.mapError(lost),
        )
        let enough = false
        yield* Stream.runForEachWhile(entries, (entry) => Effect.map(take(entry), (is) => !(enough = is)))
        return enough
      }),
  }
}

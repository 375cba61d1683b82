import * as Effect from "effect/Effect"
import type { Event } from "../../../src/domain/event.ts"
import { LedgerFailed } from "../../../src/ledger/errors.ts"
import type { Ledger } from "../../../src/ledger/ledger.ts"
import type { Chance } from "../../../src/simulation/chance.ts"

/** What a ledger's database does to its processes. */
export interface Weather {
  /** How often it is away when it is asked for something. */
  away: number
  /** The process ends within its next append: before it is written, or after it; then its answer never comes. */
  dies?: "before" | "after"
}

const away = (stream: string) => new LedgerFailed({ stream, reason: "the database does not answer", away: true })

/**
 * A ledger in bad weather: where the database is away, what was to be written may have been written all the same. `onWritten`
 * is told whatever has got into the stream of schedules; `around` is put around all work.
 */
export const make = (
  ledger: Ledger["Service"],
  weather: Weather,
  chance: Chance,
  onWritten: (events: ReadonlyArray<Event>) => void,
  around: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
): Ledger["Service"] => {
  const guarded = <A, E, R>(stream: string, effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | LedgerFailed, R> =>
      chance.hits(weather.away) ? Effect.fail(away(stream)) : around(effect),
    )
  return {
    ...ledger,
    read: (stream) => guarded(stream, ledger.read(stream)),
    bytes: (stream, from) => guarded(stream, ledger.bytes(stream, from)),
    record: (stream, events) => guarded(stream, ledger.record(stream, events)),
    extend: (stream, after, events, by) =>
      Effect.suspend(() => {
        const { dies } = weather
        if (dies === "before") return Effect.never
        const write = Effect.tap(around(ledger.extend(stream, after, events, by)), () =>
          Effect.sync(() => onWritten(events)),
        )
        // One that dies is not told what became of it.
        if (dies === "after") return Effect.andThen(Effect.uninterruptible(Effect.ignore(write)), Effect.never)
        if (!chance.hits(weather.away)) return Effect.uninterruptible(write)
        if (chance.hits(0.7)) return Effect.fail(away(stream))
        return Effect.andThen(Effect.uninterruptible(Effect.ignore(write)), Effect.fail(away(stream)))
      }),
  }
}

import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Symbol } from "../names.ts"
import { didYouMean } from "../suggest.ts"
import { ClockTime, Fraction, Name, NonNegative, Positive, TimeZone, Weekday } from "./measure.ts"
import { NamedList } from "./named-list.ts"

/**
 * One leg. `tick_size` in the quote currency, `min_lot` and `lot_step` in lots, `min_notional_usd` in dollars, a lot is
 * `contract_size` units of the base currency (100,000 where absent); `quote_usd_rate`, dollars for one unit of the quote
 * currency, is needed where neither side is the dollar.
 */
export const Instrument = Schema.Struct({
  canonical_symbol: Symbol,
  tick_size: Positive,
  min_lot: Positive,
  lot_step: Positive,
  min_notional_usd: NonNegative,
  contract_size: Schema.optionalKey(Positive),
  quote_usd_rate: Schema.optionalKey(Positive),
})
export type Instrument = typeof Instrument.Type

/** A pair that is traded as the spread A − βB; `id` is `<symbol of A>-<symbol of B>`. `session` names one of `sessions`. */
export const UniversePair = Schema.Struct({ id: Name, leg_A: Instrument, leg_B: Instrument, session: Name }).check(
  Schema.makeFilter(
    ({ id, leg_A, leg_B }) =>
      id === `${leg_A.canonical_symbol}-${leg_B.canonical_symbol}` ||
      `id must be ${leg_A.canonical_symbol}-${leg_B.canonical_symbol}, as its legs are`,
  ),
)
export type UniversePair = typeof UniversePair.Type

/** A trading week: from `opens` on `opens_on` to `closes` on `closes_on`, in `timezone`. */
const Session = Schema.Struct({
  id: Name,
  timezone: TimeZone,
  opens_on: Weekday,
  opens: ClockTime,
  closes_on: Weekday,
  closes: ClockTime,
})

/**
 * What may be traded. `limits.leverage` is the most notional per dollar of equity; `limits.margin_used` the largest
 * fraction of the equity that may be bound as margin.
 */
export const UniverseSection = Schema.Struct({
  pairs: NamedList("id", UniversePair),
  sessions: NamedList("id", Session),
  limits: Schema.Struct({ leverage: Positive, margin_used: Fraction }),
}).check(
  Schema.makeFilter(({ pairs, sessions }) => {
    const lost = pairs.find((pair) => !sessions.some((session) => session.id === pair.session))
    return lost === undefined || `pair ${lost.id} names the session ${lost.session}, which is not in sessions`
  }),
)
export type UniverseSection = typeof UniverseSection.Type

/** The pair with these legs; undefined when the universe does not hold it. */
export const pairOf = (universe: UniverseSection, legA: string, legB: string): UniversePair | undefined =>
  universe.pairs.find((pair) => pair.leg_A.canonical_symbol === legA && pair.leg_B.canonical_symbol === legB)

/** A pair that the universe does not have. */
export class PairUnknown extends Schema.TaggedError<PairUnknown>()("PairUnknown", {
  pair: Schema.String,
  pairs: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `The universe has no pair ${this.pair}.${didYouMean(this.pair, this.pairs)} It has ${this.pairs.join(", ")}`
  }
}

/** Checks that the universe has each of these pairs, by id. */
export const known = (
  { pairs }: UniverseSection,
  ids: ReadonlyArray<string>,
): Result.Result<ReadonlyArray<string>, PairUnknown> => {
  const all = pairs.map(({ id }) => id)
  const stranger = ids.find((id) => !all.includes(id))
  return stranger === undefined ? Result.succeed(ids) : Result.fail(new PairUnknown({ pair: stranger, pairs: all }))
}

/** Which pair of the universe a dataset is used for. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { UniversePair, UniverseSection } from "../domain/config/universe.ts"

/** The universe has no pair for these legs, or the dataset lacks one of them. */
export class PairUnknown extends Schema.TaggedError<PairUnknown>()("PairUnknown", {
  wanted: Schema.String,
  symbols: Schema.Array(Schema.String),
  pairs: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return (
      `There is no pair ${this.wanted}: the dataset has ${this.symbols.join(", ")}, ` +
      `universe.yaml has ${this.pairs.join(", ")}; seed both legs, or add the pair`
    )
  }
}

/** Legs by symbol; both or neither. */
export interface Legs {
  readonly legA?: string
  readonly legB?: string
}

/** The universe's pair with the given legs, or its first one, among those whose legs are both in the dataset. */
export const choosePair = (
  { pairs }: UniverseSection,
  symbols: ReadonlyArray<string>,
  { legA, legB }: Legs,
): Result.Result<UniversePair, PairUnknown> => {
  const pair = pairs.find(
    ({ leg_A, leg_B }) =>
      symbols.includes(leg_A.canonical_symbol) &&
      symbols.includes(leg_B.canonical_symbol) &&
      (legA === undefined || legA === leg_A.canonical_symbol) &&
      (legB === undefined || legB === leg_B.canonical_symbol),
  )
  if (pair !== undefined) return Result.succeed(pair)
  const wanted = legA === undefined ? "with both legs in the dataset" : `${legA}-${legB}`
  return Result.fail(new PairUnknown({ wanted, symbols: [...symbols], pairs: pairs.map(({ id }) => id) }))
}

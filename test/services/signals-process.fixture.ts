/** A process that halts pairs, one after the other: `bun signals-process.fixture.ts PLACE PAIR…`. */
import * as Effect from "effect/Effect"
import { Signals } from "../../src/services/signals.ts"
import * as SignalsPlace from "../support/signals-place.ts"

const [place, ...pairs] = process.argv.slice(2)

await Effect.runPromise(
  Effect.gen(function* () {
    const signals = yield* Signals
    for (const pair of pairs) {
      yield* signals.change(
        { operation: "halt-pairs", pairs: [pair] },
        { reason: "a test", source: String(process.pid) },
      )
    }
  }).pipe(Effect.provide(SignalsPlace.layer(JSON.parse(place)))),
)

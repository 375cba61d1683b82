/** Backtests in projects of their own. */
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type { Dataset } from "../../src/domain/dataset.ts"
import type { Model } from "../../src/domain/model.ts"
import type { ModelRegistry } from "../../src/services/model-registry.ts"
import backtest from "../../tasks/backtest/index.ts"
import type { BacktestOutput } from "../../tasks/backtest/schema.ts"
import * as Place from "./backtest-place.ts"
import * as Workplace from "./workplace.ts"

const now = Date.UTC(2025, 0, 1)

/** What a test changes of a backtest that passes. */
export interface Case extends Place.Variant {
  readonly file?: Parameters<typeof Place.outOfSample>[0]
  readonly model?: (model: Model) => Model
  readonly data?: (data: Dataset) => Dataset
  readonly seed?: number
  readonly now?: number
  readonly before?: (root: string, model: Model) => Effect.Effect<unknown, unknown, ModelRegistry>
}

/** Runs a backtest in a new project, and `then` in the same one. */
export const run = <A, E, R>(made: Case, then: (output: BacktestOutput, root: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const root = yield* Workplace.project
    return yield* Effect.gen(function* () {
      yield* TestClock.setTime(made.now ?? now)
      const data = yield* Place.dataset(root)
      const plain = yield* Place.model(made.data?.(data) ?? data, Place.outOfSample(made.file))
      const model = made.model?.(plain) ?? plain
      yield* made.before?.(root, model) ?? Effect.void
      const input = made.seed === undefined ? { model } : { model, seed: made.seed }
      return yield* then(yield* backtest.run(input), root)
    }).pipe(Effect.provide(Place.services(root, made)))
  })

/** The output of a backtest in a new project. */
export const output = (made: Case = {}) => run(made, Effect.succeed)
/** The message of a backtest that is refused. */
export const failure = (made: Case) =>
  Effect.map(Effect.flip(output(made)), (error) => (error as { readonly message: string }).message)

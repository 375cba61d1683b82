import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import { monthsOf } from "./months.ts"
import type * as Run from "./run.ts"
import { Seeded, SeedInput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * Puts canonical bars under `<canonical_root>/<timeframe>/<symbol>/<YYYY-MM>/`. Bars are taken as they are: NULL, NaN (in
 * Parquet), disorder, duplicates and impossible prices survive for `dq` to find. Only what the format cannot hold is
 * refused, with its row: text in a number, a timestamp that is none.
 */
export default taskType<SeedInput, Seeded, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "seed",
  version: 1,
  description: "Puts canonical bars of the given symbols and months in place",
  input: SeedInput,
  output: Seeded,
  errors: {
    BarFileInvalid: "a file holds no bars that can be read",
    DatasetConflict: "other data is there already",
    DuckDbError: "the data engine failed",
    FileFailed: "a file could not be read or written",
    LockBusy: "a purge looks at a partition for too long",
    LockFailed: "the lock of a partition could not be taken",
    MonthsMissing: "the source lacks months",
    PathRefused: "a path leads outside of the project",
    SourceInvalid: "the source cannot be read",
  },
  effects: "idempotent",
  config: ["storage"],
  dryRun: (input) => {
    const months = monthsOf(input)
    return Effect.succeed(
      `would write ${input.symbols.length * months.length} partitions of ${input.symbols.join(", ")} ${input.timeframe}, ${months[0]} to ${months.at(-1)}, from ${input.source?.kind ?? "sample"}`,
    )
  },
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      ({ run }) => run(input),
    ),
})

import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const many = Number.MAX_SAFE_INTEGER
const Many = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))
const Days = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3_660 }))
const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

/** `dandori simulate FILE|ID`: a pipeline on virtual time, with faults. */
export const simulate = Command.make(
  "simulate",
  {
    pipeline: Argument.String("pipeline").pipe(
      Argument.withDescription("A pipeline file, or the id of one in pipelines/"),
    ),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("Where chance begins (default 1): the same seed gives the same trace"),
      Flag.withSchema(Seed),
      Flag.withDefault(1),
    ),
    runs: Flag.Int("runs").pipe(
      Flag.withDescription("So many simulations, with seeds from --seed on: only the tally is shown"),
      Flag.withSchema(Many),
      Flag.optional,
    ),
    from: Flag.String("from").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("The first moment, like 2025-03-01T00:00Z (default 2025-01-01)"),
      Flag.withDefault("2025-01-01"),
    ),
    days: Flag.Int("days").pipe(
      Flag.withDescription("Simulate so many days of the pipeline's schedule instead of one run"),
      Flag.withSchema(Days),
      Flag.optional,
    ),
    fault: Flag.String("fault").pipe(
      Flag.withMetavar("NAME[=RATE]"),
      Flag.withDescription(
        "Only these faults, or none; RATE is a probability (default: some of task-fails, task-hangs, gate-fails, probe-fails, process-dies, disk-full, slow-disk, clock-steps, cancel)",
      ),
      Flag.between(0, many),
    ),
    param: Flag.String("param").pipe(
      Flag.withAlias("p"),
      Flag.withMetavar("NAME=VALUE"),
      Flag.withDescription("A param; may be given several times"),
      Flag.between(0, many),
    ),
  },
  Effect.fn(function* ({ days, runs, ...input }) {
    const { simulatePipeline } = yield* Effect.promise(() => import("../pipeline-simulate.ts"))
    yield* simulatePipeline({ ...input, days: Option.getOrUndefined(days), runs: Option.getOrUndefined(runs) })
  }),
).pipe(
  Command.withDescription(
    "Run a pipeline on virtual time: the real core, with tasks, disk, clocks, processes and people that fail by chance; and check the promises. Exit code: 1 when one is broken",
  ),
  Command.withExamples([
    { command: "dandori simulate sample-e2e --seed 7", description: "One run, every moment of it" },
    { command: "dandori simulate sample-e2e --runs 1000", description: "A thousand seeds, the tally" },
    { command: "dandori simulate nightly --days 30 --fault process-dies=0.02", description: "A month of a schedule" },
  ]),
)

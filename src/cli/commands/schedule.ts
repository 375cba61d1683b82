import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ServerChoice from "../server-choice.ts"

const Many = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))

const list = Command.make(
  "list",
  {},
  Effect.fn(function* () {
    const { listSchedules } = yield* ServerChoice.either(
      () => import("../remote/schedule-list.ts"),
      () => import("../schedule-list.ts"),
    )
    yield* listSchedules
  }),
).pipe(
  Command.withDescription(
    "List the pipelines that have a schedule, in pipelines/ or deployed, with their next ticks and pauses",
  ),
)

const preview = Command.make(
  "preview",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A pipeline file, or the id of one in pipelines/")),
    count: Flag.Int("count").pipe(
      Flag.withAlias("n"),
      Flag.withDescription("How many ticks, at most 1000 (default 10)"),
      Flag.withSchema(Many),
      Flag.withDefault(10),
    ),
    from: Flag.String("from").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("From a moment like 2027-03-01T00:00Z on (default: now)"),
      Flag.withDefault("now"),
    ),
  },
  Effect.fn(function* ({ count, file, from }) {
    yield* ServerChoice.filesOnly("A preview", "Call dandori schedule preview in the project, without --server")
    const { previewSchedule } = yield* Effect.promise(() => import("../schedule-preview.ts"))
    yield* previewSchedule(file, count, from)
  }),
).pipe(
  Command.withDescription(
    "Show the next ticks of a pipeline, the params of each, and every date of the coming year on which the clocks jump over or repeat a tick. Exit code: 65 when the params of a tick do not fit",
  ),
  Command.withExamples([
    { command: "dandori schedule preview nightly --count 30", description: "The next thirty ticks" },
    { command: "dandori schedule preview nightly --from 2027-03-01", description: "From a date on (UTC)" },
  ]),
)

const pipeline = Argument.String("pipeline").pipe(
  Argument.withDescription("The id of a pipeline whose schedule is deployed"),
)
const reason = Flag.String("reason").pipe(Flag.withMetavar("TEXT"), Flag.withDescription("Why; it is recorded"))

const explain = Command.make(
  "explain",
  {
    pipeline,
    tick: Argument.String("tick").pipe(
      Argument.withDescription("A nominal time like 2027-03-01T02:30Z (default: the newest ticks)"),
      Argument.optional,
    ),
    last: Flag.Int("last").pipe(
      Flag.withAlias("n"),
      Flag.withDescription("How many of the newest ticks, at most 1000 (default 10)"),
      Flag.withSchema(Many),
      Flag.withDefault(10),
    ),
  },
  Effect.fn(function* ({ last, pipeline: id, tick }) {
    const { explainSchedule } = yield* ServerChoice.either(
      () => import("../remote/schedule-explain.ts"),
      () => import("../schedule-explain.ts"),
    )
    yield* explainSchedule(id, Option.getOrUndefined(tick), last)
  }),
).pipe(
  Command.withDescription("Say why ticks did or did not run: what was recorded of each, and what became of its run"),
  Command.withExamples([
    { command: "dandori schedule explain nightly", description: "The newest ticks" },
    { command: "dandori schedule explain nightly 2027-03-14T07:30Z", description: "One tick" },
  ]),
)

const steer = (name: "pause" | "resume", description: string) =>
  Command.make(
    name,
    { pipeline, reason },
    Effect.fn(function* ({ pipeline: id, reason: why }) {
      const { pauseOrResume } = yield* ServerChoice.either(
        () => import("../remote/schedule-orders.ts"),
        () => import("../schedule-orders.ts"),
      )
      yield* pauseOrResume(name, id, why)
    }),
  ).pipe(Command.withDescription(description))

const backfill = Command.make(
  "backfill",
  {
    pipeline,
    from: Flag.String("from").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("From a moment like 2027-03-01 (UTC) on"),
      Flag.optional,
    ),
    to: Flag.String("to").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Before a moment (default: now)"),
      Flag.withDefault("now"),
    ),
    definition: Flag.Literals("definition", ["today", "then"]).pipe(
      Flag.withDescription(
        "With what is deployed today, or with what was deployed then, at each tick (default: today)",
      ),
      Flag.withDefault("today"),
    ),
    cancel: Flag.String("cancel").pipe(
      Flag.withMetavar("BACKFILL"),
      Flag.withDescription("Leave out what a backfill has not run yet"),
      Flag.optional,
    ),
    yes: Flag.Boolean("yes").pipe(Flag.withAlias("y"), Flag.withDescription("Do not ask"), Flag.withDefault(false)),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Say which ticks those are, and run nothing"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ cancel, from, pipeline: id, ...flags }) {
    const orders = yield* ServerChoice.either(
      () => import("../remote/schedule-orders.ts"),
      () => import("../schedule-orders.ts"),
    )
    if (Option.isSome(cancel)) return yield* orders.cancelBackfill(id, cancel.value)
    if (Option.isNone(from)) {
      const { UsageError } = yield* Effect.promise(() => import("../output.ts"))
      return yield* new UsageError({ reason: "From when on? Say --from TIME, or --cancel BACKFILL" })
    }
    return yield* orders.backfill(id, { ...flags, from: from.value })
  }),
).pipe(
  Command.withDescription("Run the ticks of a time in the past, whatever became of them, one after the other"),
  Command.withExamples([
    {
      command: "dandori schedule backfill nightly --from 2027-03-01 --to 2027-03-08 --yes",
      description: "A week of ticks, with what is deployed today",
    },
  ]),
)

/** `dandori schedule …`: when pipelines run by themselves. */
export const schedule = Command.make("schedule").pipe(
  Command.withDescription("Look at when pipelines run by themselves, and steer it"),
  Command.withSubcommands([
    list,
    preview,
    explain,
    steer("pause", "Hold the ticks of a schedule until it is resumed; runs that go on do so"),
    steer("resume", "Let a paused schedule go on from here; what was held is not caught up"),
    backfill,
  ]),
)

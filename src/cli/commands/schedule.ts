import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Many = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))

const list = Command.make(
  "list",
  {},
  Effect.fn(function* () {
    const { listSchedules } = yield* Effect.promise(() => import("../schedule-list.ts"))
    yield* listSchedules
  }),
).pipe(Command.withDescription("List the pipelines in pipelines/ that have a schedule, with their next ticks"))

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

/** `dandori schedule …`: when pipelines run by themselves. */
export const schedule = Command.make("schedule").pipe(
  Command.withDescription("Look at when pipelines run by themselves"),
  Command.withSubcommands([list, preview]),
)

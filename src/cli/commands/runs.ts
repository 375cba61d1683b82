import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { againFlags, waitFlag } from "../run-flags.ts"
import * as ServerChoice from "../server-choice.ts"
import { purge } from "./runs-purge.ts"

const Positive = Schema.Int.check(Schema.isGreaterThan(0))

const runArgument = Argument.String("run").pipe(
  Argument.withDescription("A run's id, or a beginning or an ending that only it has"),
)

const list = Command.make(
  "list",
  {
    limit: Flag.Int("limit").pipe(
      Flag.withAlias("n"),
      Flag.withDescription("How many (default 20)"),
      Flag.withSchema(Positive),
      Flag.withDefault(20),
    ),
    label: Flag.String("label").pipe(
      Flag.withDescription("Only runs that have a task with this label; may be given several times"),
      Flag.between(0, Number.MAX_SAFE_INTEGER),
    ),
  },
  Effect.fn(function* ({ label, limit }) {
    const { listRuns } = yield* ServerChoice.either(
      () => import("../remote/runs-list.ts"),
      () => import("../runs-list.ts"),
    )
    yield* listRuns(limit, label)
  }),
).pipe(Command.withDescription("List the newest runs, newest first"))

const show = Command.make(
  "show",
  { run: runArgument },
  Effect.fn(function* ({ run }) {
    const { showRun } = yield* ServerChoice.either(
      () => import("../remote/runs-show.ts"),
      () => import("../runs-show.ts"),
    )
    yield* showRun(run)
  }),
).pipe(Command.withDescription("Show a run: tasks, attempts, errors, receipts, results"))

const logs = Command.make(
  "logs",
  {
    run: runArgument,
    task: Argument.String("task").pipe(
      Argument.withDescription("A task, an instance ('many[1]'), or a group of them (default: all that started)"),
      Argument.optional,
    ),
    attempt: Flag.Int("attempt").pipe(
      Flag.withDescription("Which attempt (default: the newest)"),
      Flag.withSchema(Positive),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ attempt, run, task }) {
    yield* ServerChoice.filesOnly(
      "To show logs",
      "They are where it runs: call dandori runs logs there, without --server",
    )
    const { showLogs } = yield* Effect.promise(() => import("../runs-logs.ts"))
    yield* showLogs({ run, task: Option.getOrUndefined(task), attempt: Option.getOrUndefined(attempt) })
  }),
).pipe(Command.withDescription("Print what tasks logged"))

const resolve = Command.make(
  "resolve",
  {
    run: runArgument,
    task: Argument.String("task").pipe(Argument.withDescription("The task whose outcome is unknown")),
    as: Flag.Literals("as", ["succeeded", "failed"]).pipe(Flag.withDescription("What became of it (required)")),
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("How you know (required)"),
      Flag.withSchema(Schema.NonEmptyString),
    ),
    output: Flag.String("output").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("With succeeded: a file with the task's output as JSON"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ as, output, reason, run, task }) {
    const { resolveTask } = yield* ServerChoice.either(
      () => import("../remote/runs-steer.ts"),
      () => import("../runs-resolve.ts"),
    )
    yield* resolveTask({ run, task, as, reason, output: Option.getOrUndefined(output) })
  }),
).pipe(Command.withDescription("Say what became of a task whose outcome is unknown"))

const cancel = Command.make(
  "cancel",
  {
    run: runArgument,
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Why (default: asked on the command line)"),
      Flag.withDefault("asked on the command line"),
    ),
  },
  Effect.fn(function* ({ reason, run }) {
    const { cancelRun } = yield* ServerChoice.either(
      () => import("../remote/runs-steer.ts"),
      () => import("../runs-cancel.ts"),
    )
    yield* cancelRun(run, reason)
  }),
).pipe(Command.withDescription("Cancel a run, wherever it goes on"))

const approve = Command.make(
  "approve",
  {
    run: runArgument,
    task: Argument.String("task").pipe(
      Argument.withDescription("The task that waits (default: the only one)"),
      Argument.optional,
    ),
    refuse: Flag.Boolean("refuse").pipe(Flag.withDescription("Say no; the task fails"), Flag.withDefault(false)),
    reason: Flag.String("reason").pipe(Flag.withMetavar("TEXT"), Flag.withDescription("Why"), Flag.optional),
    yes: Flag.Boolean("yes").pipe(Flag.withAlias("y"), Flag.withDescription("Do not ask"), Flag.withDefault(false)),
  },
  Effect.fn(function* ({ reason, refuse, run, task, yes }) {
    const { approve: approveTask } = yield* ServerChoice.either(
      () => import("../remote/runs-approve.ts"),
      () => import("../runs-approve.ts"),
    )
    const given = { task: Option.getOrUndefined(task), reason: Option.getOrUndefined(reason) }
    yield* approveTask({ run, refuse, yes, ...given })
  }),
).pipe(Command.withDescription("Agree to a task that waits for approval, or refuse it"))

const watch = Command.make(
  "watch",
  { run: runArgument },
  Effect.fn(function* ({ run }) {
    const { watchRun } = yield* ServerChoice.either(
      () => import("../remote/runs-watch.ts"),
      () => import("../runs-watch.ts"),
    )
    yield* watchRun(run)
  }),
).pipe(Command.withDescription("Watch a run that another process drives, until it ends"))

const resume = Command.make(
  "resume",
  { run: runArgument, wait: waitFlag },
  Effect.fn(function* ({ run, wait }) {
    const { resumeRun } = yield* ServerChoice.either(
      () => import("../remote/run-pipeline.ts"),
      () => import("../run-pipeline.ts"),
    )
    yield* resumeRun(run, wait)
  }),
).pipe(Command.withDescription("Go on with a run that was interrupted, or that waited for people"))
const diff = Command.make(
  "diff",
  {
    old: Argument.String("run").pipe(Argument.withDescription("A run")),
    next: Argument.String("other").pipe(Argument.withDescription("The run that it is compared with")),
  },
  Effect.fn(function* ({ next, old }) {
    yield* ServerChoice.filesOnly("To compare runs", "Call dandori runs diff where their files are, without --server")
    const { diffRuns } = yield* Effect.promise(() => import("../runs-diff.ts"))
    yield* diffRuns(old, next)
  }),
).pipe(Command.withDescription("Show what differs between two runs: plan, params, configuration, outputs, durations"))

const retry = Command.make(
  "retry",
  { run: runArgument, wait: waitFlag, ...againFlags },
  Effect.fn(function* ({ from, only, run, wait }) {
    const { retryRun } = yield* ServerChoice.either(
      () => import("../remote/run-pipeline.ts"),
      () => import("../run-pipeline.ts"),
    )
    yield* retryRun(run, { wait, from: Option.getOrUndefined(from), only: Option.getOrUndefined(only) })
  }),
).pipe(Command.withDescription("Run a run's plan again, taking over what succeeded in it"))

/** `dandori runs`: what the ledger tells of runs. */
export const runs = Command.make("runs").pipe(
  Command.withDescription("Runs, from the ledger"),
  Command.withExamples([
    { command: "dandori runs list", description: "The newest runs" },
    { command: "dandori runs show 7f3a9c", description: "One run, by the end of its id" },
    { command: "dandori runs logs 7f3a9c train", description: "What a task logged" },
  ]),
  Command.withSubcommands([list, show, logs, watch, diff, approve, resolve, cancel, retry, resume, purge]),
)

import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import * as OpsFlags from "../../src/domain/ops-flags.ts"
import * as Universe from "../../src/domain/config/universe.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Settings } from "../../src/services/settings.ts"
import { type Seen, Signals } from "../../src/services/signals.ts"
import { OpsInput, OpsOutput, changeOf } from "./schema.ts"

/** Nobody but who asked for it has agreed to resume. */
export class ApprovalMissing extends Schema.TaggedError<ApprovalMissing>()("ApprovalMissing", {
  task: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.task} would resume, and nobody but who asked for the run has agreed. Give it approval: { approvers: 1 }`
  }
}

/** A stop on a pair that nobody trades would stop nothing; letting go of one does no harm. */
const checkPairs = Effect.fnUntraced(function* ({ operation, pairs = [] }: OpsInput) {
  if (operation === "resume-pairs") return
  const { universe } = (yield* Settings).sections
  yield* Effect.fromResult(Universe.known(universe, pairs))
})

/** Two people: the engine asks nobody whom it should not, and this asks the engine. */
const checkApproval = Effect.gen(function* () {
  const { approvedBy, env, requester, task } = yield* Attempt
  const settings = yield* Settings
  const selfApproval = env === "dev" && settings.env === "dev" && settings.sections.approvals.selfApproval
  if (approvedBy.some((person) => selfApproval || person !== requester)) return
  return yield* new ApprovalMissing({ task })
})

const output = (operation: string, { digest, flags }: Seen, changed: boolean): OpsOutput =>
  Result.isSuccess(flags)
    ? { operation, digest, changed, halted: flags.success.global_halt, flags: flags.success }
    : { operation, digest, changed, halted: true, unreadable: flags.failure.message }

const stateText = ({ flags }: Seen): string =>
  Result.isSuccess(flags)
    ? `global_halt is ${flags.success.global_halt ? 1 : 0}, halted_pairs ${JSON.stringify(flags.success.halted_pairs)}, flatten_pairs ${JSON.stringify(flags.success.flatten_pairs)}, leverage_scale ${flags.success.leverage_scale}`
    : flags.failure.message

const isExpression = (value: unknown) => typeof value === "string" && value.includes("${{")

/**
 * Looks at the operations flags or changes them, in one step with the event on the operations channel. The attempt's
 * events are the record of intent and outcome. `resume` starts only with another person's approval.
 */
export default taskType({
  type: "ops",
  version: 1,
  description: "Halts, resumes and limits trading by the operations flags",
  input: OpsInput,
  output: OpsOutput,
  errors: {
    ApprovalMissing: "nobody else has agreed to resume",
    FlagsMoved: "somebody has changed the flags since they were seen",
    FlagsUnreadable: "the flags are garbage, from which this change cannot start",
    PairUnknown: "the universe has no such pair",
    SignalsUnavailable: "what keeps the flags cannot be reached, or was lost on the way",
  },
  effects: "idempotent",
  config: ["messaging", "universe", "approvals"],
  approval: ({ operation }) => {
    if (operation === "resume") return "To resume takes two people"
    return isExpression(operation) ? "This may resume, which takes two people" : undefined
  },
  dryRun: (input) =>
    Effect.gen(function* () {
      yield* checkPairs(input)
      const now = yield* (yield* Signals).look.pipe(
        Effect.map(stateText),
        Effect.catch(({ message }) => Effect.succeed(`the flags cannot be read now: ${message}`)),
      )
      const change = changeOf(input)
      return `would ${change === undefined ? "look at the flags" : OpsFlags.changeText(change)}; ${now}`
    }),
  run: (input) =>
    Effect.gen(function* () {
      const signals = yield* Signals
      const change = changeOf(input)
      if (change === undefined) return output("status", yield* signals.look, false)
      yield* checkPairs(input)
      if (input.operation === "resume") yield* checkApproval
      const { pipeline, run, task, who } = yield* Attempt
      const source = `dandori run ${run} (${pipeline}/${task}) by ${who}`
      // An attempt before this one may have resumed and ended before that was recorded.
      const isOwn = ({ flags }: Seen) =>
        Result.isSuccess(flags) && !flags.success.global_halt && flags.success.metadata?.source === source
      const made = yield* signals
        .change(change, { reason: input.reason ?? "", source }, input.seen)
        .pipe(
          Effect.catchTag("FlagsMoved", (moved) =>
            Effect.flatMap(signals.look, (now) =>
              isOwn(now) ? Effect.succeed({ ...now, changed: false }) : Effect.fail(moved),
            ),
          ),
        )
      return output(input.operation, made, made.changed)
    }),
})

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Event } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import type { Request } from "../domain/request.ts"
import { Inbox, type Letter } from "../services/inbox.ts"
import { Settings } from "../services/settings.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import type { RunContext } from "./run-context.ts"
import type { Prepared } from "./prepared.ts"
import type { Recorder } from "./recorder.ts"
import * as Resolution from "./resolution.ts"
import { type RunState, taskOf } from "./run-state.ts"

/** Who asks and when, who asked for the run, and whether that may be the same person. */
export interface Parties {
  readonly by: string
  readonly requester: string
  readonly selfApproval: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Whether who asks is also who appends: then the entry itself names him. */
  readonly writes: boolean
}

type Verdict = { readonly event: Event; readonly task?: string } | { readonly refused: string }

/** Whether a run's requester may approve its tasks: in env dev only, by the run and by the configuration. */
export const selfApproval = ({ env, sections }: Settings["Service"], ofRun: EnvironmentName): boolean =>
  ofRun === "dev" && env === "dev" && sections.approvals.selfApproval

/** What a request amounts to in a state: the event that is to be appended, or why nothing is. Pure. */
export const judge = (
  run: string,
  prepared: Pick<Prepared, "plan" | "types">,
  state: RunState,
  request: Request,
  parties: Parties,
): Verdict => {
  const { by, now, requester } = parties
  if (request.kind === "cancel") {
    if (state.phase === "ended") return { refused: "The run has ended; there is nothing to cancel" }
    const reason = `${by}: ${request.reason}`
    return { event: { type: "dev.dandori.cancel.requested.v1", data: { reason } } }
  }
  const { task } = request
  if (request.kind === "resolve") {
    const said = Resolution.judge(run, prepared, state, { ...request, ...(parties.writes ? {} : { by }) })
    return Result.isFailure(said) ? { refused: said.failure.message } : { event: said.success, task }
  }
  const { input } = request
  if (CompiledPlan.indexOfId(state.plan, task) === -1) return { refused: `The run has no task ${task}` }
  const { approval, status } = taskOf(state, task)
  if (status !== "waiting" || approval === undefined) {
    return { refused: `Task ${task} waits for no approval: it is ${status}` }
  }
  if (approval.due !== undefined && approval.due <= now) {
    return { refused: `The time to answer about ${task} is over since ${new Date(approval.due).toISOString()}` }
  }
  if (approval.input !== input) {
    return { refused: `The input of ${task} is no longer the one that you saw. Look again: dandori runs approve` }
  }
  if (request.kind === "refuse") {
    const data = { task, input, by, reason: request.reason }
    return { event: { type: "dev.dandori.approval.refused.v1", data }, task }
  }
  const self = by === requester
  if (self && !parties.selfApproval) {
    return { refused: `${by} asked for this run and cannot approve it. Somebody else has to` }
  }
  if (approval.granted.includes(by)) return { refused: `${by} has agreed already. Somebody else has to` }
  const reason = request.reason === undefined ? {} : { reason: request.reason }
  const data = { task, input, by, ...reason, ...(self ? { self: true as const } : {}) }
  return { event: { type: "dev.dandori.approval.granted.v1", data }, task }
}

/**
 * Answers what comes into the inbox of a run that this process owns, for as long as it is not interrupted. `large`: as
 * in `Execution`.
 */
export const serve = Effect.fnUntraced(function* (
  { env, id: run, requester }: Pick<RunContext, "env" | "id" | "requester">,
  prepared: Prepared,
  recorder: Recorder,
  large: Map<string, unknown>,
  now: () => number,
) {
  const inbox = yield* Inbox
  const mayBeSelf = selfApproval(yield* Settings, env)
  const carryOut = Effect.fnUntraced(function* ({ actor, by, request }: Letter) {
    const parties = { by, requester, selfApproval: mayBeSelf, now: now(), writes: false }
    const verdict = judge(run, prepared, recorder.state(), request, parties)
    if (!("event" in verdict)) return verdict
    recorder.record(yield* Resolution.recordable(verdict.event, large), verdict.task, actor)
    const behind = yield* recorder.writer.settled
    return { done: true, ...(behind === undefined ? {} : { unrecorded: behind.error.message }) } as const
  })
  // A letter that goes wrong, or whose answer does, takes no other with it.
  const answer = (letter: Letter) =>
    carryOut(letter).pipe(
      Effect.catchCause((cause) => {
        const fault = Cause.squash(cause)
        const why = fault instanceof Error ? fault.message : String(fault)
        return Effect.succeed({ refused: `It could not be carried out: ${why}` })
      }),
      Effect.flatMap((answered) => Effect.ignore(inbox.answer(run, letter.id, answered))),
    )
  // What is taken is answered, even when it ends the run. A ledger that is lost stops the run by itself.
  const look = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(inbox.arrivals(run)), (letters) => Effect.forEach(letters, answer)),
  )
  return yield* Effect.forever(look.pipe(Effect.catch(() => Effect.sleep(1_000))))
})

import * as Effect from "effect/Effect"
import type { Event } from "../domain/event.ts"
import type { Request } from "../domain/request.ts"
import { Inbox, type Letter } from "../services/inbox.ts"
import { Settings } from "../services/settings.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import type { Recorder } from "./recorder.ts"
import { type RunState, taskOf } from "./run-state.ts"

/** Who asks, who asked for the run, and whether that may be the same person. */
export interface Parties {
  readonly by: string
  readonly requester: string
  readonly selfApproval: boolean
}

type Verdict = { readonly event: Event; readonly task?: string } | { readonly refused: string }

/** What a request amounts to in a state: the event that is to be appended, or why nothing is. Pure. */
export const judge = (state: RunState, request: Request, parties: Parties): Verdict => {
  if (request.kind === "cancel") {
    if (state.phase === "ended") return { refused: "The run has ended; there is nothing to cancel" }
    const reason = `${parties.by}: ${request.reason}`
    return { event: { type: "dev.dandori.cancel.requested.v1", data: { reason } } }
  }
  const { by, requester, selfApproval } = parties
  const { input, task } = request
  if (CompiledPlan.indexOfId(state.plan, task) === -1) return { refused: `The run has no task ${task}` }
  const { approval, status } = taskOf(state, task)
  if (status !== "waiting" || approval === undefined) {
    return { refused: `Task ${task} waits for no approval: it is ${status}` }
  }
  if (approval.input !== input) {
    return { refused: `The input of ${task} is no longer the one that you saw. Look again: dandori runs approve` }
  }
  if (request.kind === "refuse") {
    const data = { task, input, by, reason: request.reason }
    return { event: { type: "dev.dandori.approval.refused.v1", data }, task }
  }
  const self = by === requester
  if (self && !selfApproval) {
    return { refused: `${by} asked for this run and cannot approve it. Somebody else has to` }
  }
  if (approval.granted.includes(by)) return { refused: `${by} has agreed already. Somebody else has to` }
  const reason = request.reason === undefined ? {} : { reason: request.reason }
  const data = { task, input, by, ...reason, ...(self ? { self: true as const } : {}) }
  return { event: { type: "dev.dandori.approval.granted.v1", data }, task }
}

/** Answers what comes into the inbox of a run that this process owns, for as long as it is not interrupted. */
export const serve = Effect.fnUntraced(function* (run: string, requester: string, recorder: Recorder) {
  const inbox = yield* Inbox
  const { env, sections } = yield* Settings
  const selfApproval = env === "dev" && sections.approvals.selfApproval
  const answer = Effect.fnUntraced(function* ({ by, id, request }: Letter) {
    const verdict = judge(recorder.state(), request, { by, requester, selfApproval })
    if ("event" in verdict) {
      recorder.record(verdict.event, verdict.task)
      yield* recorder.writer.durable
    }
    yield* inbox.answer(run, id, "event" in verdict ? { done: true } : verdict)
  })
  // What is taken is answered, even when it ends the run. A ledger that is lost stops the run by itself.
  const look = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(inbox.arrivals(run)), (letters) => Effect.forEach(letters, answer)),
  )
  return yield* Effect.forever(look.pipe(Effect.catch(() => Effect.sleep(1_000))))
})

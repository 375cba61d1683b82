import * as Effect from "effect/Effect"
import * as Output from "../output.ts"
import { type ApproveRequest, chooseTask, isMeant } from "../runs-approve.ts"
import * as Client from "./daemon-client.ts"
import * as RunChoice from "./run-choice.ts"

/** Shows what a task waits to be approved for, and records that the token's owner agrees or refuses. */
export const approve = Effect.fnUntraced(function* (request: ApproveRequest) {
  const { daemon, flags } = yield* Client.find
  const run = yield* RunChoice.choose(daemon, request.run)
  const { approvals } = yield* daemon.ask((api) => api.runs.show({ params: { run } }))
  const waiting = approvals.map(({ task }) => task)
  const task = yield* chooseTask(run, waiting, request.task)
  const asked = approvals.find((one) => one.task === task)
  if (asked === undefined) return yield* new Output.UsageError({ reason: `Nobody asked about ${task}` })
  const { due, ...given } = asked
  const shown = due === undefined ? given : { ...given, due: Date.parse(due) }
  if (!(yield* isMeant(request, shown, flags))) return
  const { reason, refuse } = request
  const { approvers, granted, input } = asked
  const payload = refuse
    ? ({ decision: "refuse", task, input, reason: reason ?? "" } as const)
    : ({ decision: "approve", task, input, ...(reason === undefined ? {} : { reason }) } as const)
  const { by } = yield* daemon.ask((api) => api.approvals.answer({ params: { run }, payload }))
  const said = refuse ? "refused" : "approved"
  if (flags.json) return yield* Output.json({ v: 1, kind: said, run, task, by, input })
  const have = granted.includes(by) ? granted.length : granted.length + 1
  const next = refuse || have >= approvers ? "Its run goes on." : `${have} of ${approvers} have agreed.`
  yield* Output.data(`${task} is ${said} by ${by}: that is recorded. ${next}`)
})

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ApprovalAnswer, Request } from "../../domain/request.ts"
import type { Sha256 } from "../../domain/sha256.ts"
import * as Requests from "../../engine/requests.ts"
import * as Resolve from "../../engine/resolve.ts"
import * as Resume from "../../engine/resume.ts"
import * as Submit from "../../engine/submit.ts"
import { Acting } from "../../services/acting.ts"
import { Settings } from "../../services/settings.ts"
import { Host } from "../host.ts"
import { Caller } from "./authorization.ts"
import { Idempotency } from "./idempotency.ts"
import * as Problems from "./problems.ts"
import * as RunReading from "./run-reading.ts"

interface Told {
  readonly _tag: string
  readonly message: string
}

/** What is no fault of the request, and may pass. */
const passing = new Set(["LedgerFailed", "FileFailed", "HostUnready"])

/** Why nothing came of a request to a run, as a problem. */
const problemOf = ({ _tag, message }: Told) => {
  const words = { code: _tag, detail: message }
  if (_tag === "QueueFull") return new Problems.TooManyRequests(words)
  return passing.has(_tag) ? new Problems.Unavailable(words) : new Problems.Conflict(words)
}

/** Why nothing came of a request to a run that is to be there, as a problem. */
const problemOfRun = Effect.fnUntraced(function* (run: string, error: Told) {
  return yield* error._tag === "StreamMissing" ? RunReading.absent(run) : problemOf(error)
})

/** What a person said of a run, in the name of who calls. */
const inTheirName = Effect.fnUntraced(function* <A, E extends Told, R>(
  run: string,
  ask: (recalled: Resume.Recalled, asker: Submit.Asker) => Effect.Effect<A, E, R>,
) {
  const { actor } = yield* Caller
  const now = yield* Clock.currentTimeMillis
  const asked = Effect.flatMap(Resume.recall(run), (recalled) => ask(recalled, { by: actor.authid, now }))
  yield* asked.pipe(
    Effect.provideService(Acting, actor),
    Effect.catch((error) => problemOfRun(run, error)),
  )
  return { run, by: actor.authid }
})

const submit = (run: string, request: Request) =>
  inTheirName(run, (recalled, asker) => Submit.submit(run, recalled, request, asker))

/** Cancels a run, wherever it goes on or waits: what the daemon was asked for through its leader, another one by itself. */
export const cancel = Effect.fnUntraced(function* (run: string, reason: string) {
  const { actor } = yield* Caller
  const host = yield* Host
  const isAsked = yield* Effect.mapError(host.cancel(run, reason, actor), problemOf)
  return isAsked ? { run, by: actor.authid } : yield* submit(run, { kind: "cancel", reason })
})

/** Says what became of a task whose outcome nobody knows. */
export const resolve = (
  run: string,
  {
    as,
    output,
    reason,
    task,
  }: {
    readonly task: string
    readonly as: "succeeded" | "failed"
    readonly reason: string
    readonly output?: unknown
  },
) => inTheirName(run, (recalled, { by, now }) => Resolve.resolve(run, recalled, { task, as, reason, output, now, by }))

/** An answer to a request for agreement. */
export type Answer =
  | { readonly decision: "approve"; readonly task: string; readonly input: Sha256; readonly reason?: string }
  | { readonly decision: "refuse"; readonly task: string; readonly input: Sha256; readonly reason: string }

/** Brings an answer before a run, wherever it is driven. */
const tell = (run: string, said: ApprovalAnswer) =>
  inTheirName(run, (recalled, asker) =>
    Effect.gen(function* () {
      yield* Submit.check(run, recalled, said, asker)
      const { actor } = yield* Caller
      if (yield* (yield* Host).passOn(run, said, actor)) return
      yield* Submit.submit(run, recalled, said, asker)
    }),
  )

/** Agrees or refuses. Who asked for a run does not agree to what it does, except where env dev allows that. */
export const answer = Effect.fnUntraced(function* (run: string, given: Answer) {
  const { actor } = yield* Caller
  const settings = yield* Settings
  const { created, requester } = yield* Effect.catch(Resume.recall(run), (error) => problemOfRun(run, error))
  const isOwn = given.decision === "approve" && requester === actor.authid
  if (isOwn && !Requests.selfApproval(settings, created.env)) {
    const detail = `${actor.authid} asked for this run and cannot approve it. Somebody else has to`
    return yield* new Problems.Forbidden({ code: "OwnRequest", detail })
  }
  const { input, task } = given
  if (given.decision === "refuse") return yield* tell(run, { kind: "refuse", task, input, reason: given.reason })
  const reason = given.reason === undefined ? {} : { reason: given.reason }
  return yield* tell(run, { kind: "approve", task, input, ...reason })
})

/** Runs the plan of a run that has ended again. */
export const retry = Effect.fnUntraced(function* (
  of: string,
  again: { readonly from?: string; readonly only?: string },
  key: string | undefined,
) {
  const { actor } = yield* Caller
  const host = yield* Host
  const { once } = yield* Idempotency
  yield* RunReading.read(of)
  const begin = (run: string) => Effect.mapError(host.retryRun({ of, run, ...again, who: actor }), problemOf)
  return yield* once({ scope: `retry ${actor.authid} ${of}`, key, says: again }, begin, ({ status }) => status === 409)
})

/** Goes on with a run that nobody drives. */
export const resume = Effect.fnUntraced(function* (run: string) {
  const { actor } = yield* Caller
  const host = yield* Host
  const { durationMillis, status } = yield* RunReading.read(run)
  if (durationMillis !== undefined) {
    return yield* new Problems.Conflict({ code: "RunEnded", detail: `Run ${run} has ended: ${status}` })
  }
  yield* Effect.mapError(host.resumeRun(run, actor), problemOf)
  return { run, by: actor.authid }
})

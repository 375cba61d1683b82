import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Request } from "../domain/request.ts"
import { LedgerFailed } from "../ledger/errors.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Inbox } from "../services/inbox.ts"
import { Settings } from "../services/settings.ts"
import * as Prepared from "./prepared.ts"
import * as Requests from "./requests.ts"
import { type Recalled, fold } from "./resume.ts"

/** The run does not do what was asked. */
export class RequestRefused extends Schema.TaggedError<RequestRefused>()("RequestRefused", {
  run: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return this.reason
  }
}

const throughInbox = Effect.fnUntraced(function* (run: string, request: Request) {
  const inbox = yield* Inbox
  const ledger = yield* Ledger
  const id = yield* inbox.put(run, request)
  while (true) {
    const answer = yield* inbox.answerTo(run, id)
    if (Option.isSome(answer)) return Option.some(answer.value)
    const owned = yield* ledger.owned(StreamName.ofRun(run))
    if (!owned) {
      yield* inbox.withdraw(run, id)
      return yield* inbox.answerTo(run, id)
    }
    yield* Effect.sleep(50)
  }
})

/**
 * Brings a request before a run: its owner answers it, or, where no process owns the run, this one appends what it
 * amounts to. Succeeds when that is durable. `by` is who asks at this command line.
 */
export const submit = Effect.fn("Requests.submit")(function* (
  run: string,
  recalled: Recalled,
  request: Request,
  asker: { readonly by: string; readonly now: number },
) {
  const ledger = yield* Ledger
  const { env, sections } = yield* Settings
  const prepared = yield* Prepared.prepare(recalled.plan)
  const stream = StreamName.ofRun(run)
  const selfApproval = env === "dev" && sections.approvals.selfApproval
  const append = Effect.scoped(
    Effect.gen(function* () {
      const { chain, writer } = yield* ledger.reopen(stream)
      const state = fold(prepared, chain.entries, asker.now)
      const verdict = Requests.judge(state, request, { by: asker.by, requester: recalled.requester, selfApproval })
      if (!("event" in verdict)) return verdict
      writer.append(verdict.event, verdict.task === undefined ? run : `${run}/${verdict.task}`)
      yield* writer.durable.pipe(Effect.mapError((error) => new LedgerFailed({ stream, reason: error.message })))
      return { done: true } as const
    }),
  )
  while (true) {
    const answer = yield* append.pipe(
      Effect.asSome,
      Effect.catchTag("StreamBusy", () => throughInbox(run, request)),
    )
    if (Option.isNone(answer)) continue
    if ("refused" in answer.value) return yield* new RequestRefused({ run, reason: answer.value.refused })
    return
  }
})

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Request } from "../domain/request.ts"
import { LedgerFailed } from "../ledger/errors.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Acting } from "../services/acting.ts"
import { Inbox } from "../services/inbox.ts"
import { Settings } from "../services/settings.ts"
import * as Prepared from "./prepared.ts"
import * as Requests from "./requests.ts"
import * as Resolution from "./resolution.ts"
import { type Recalled, fold } from "./resume.ts"

/** The run does not do what was asked. */
export class RequestRefused extends Schema.TaggedError<RequestRefused>()("RequestRefused", {
  run: Schema.String,
  reason: Schema.String,
  /** That a process drives it which cannot be asked from here. */
  elsewhere: Schema.optionalKey(Schema.Boolean),
}) {
  override get message() {
    return this.reason
  }
}

/** Who asks at this command line, and when (milliseconds since the epoch). */
export interface Asker {
  readonly by: string
  readonly now: number
  /** Told why it takes long, where it does. */
  readonly say?: (text: string) => Effect.Effect<void>
}

const lookMillis = 50
/** After how long without an answer the person who asked is told. */
const looksInSilence = 40
/** After how long a run of this process would have taken what was asked here. */
const looksUntaken = 200

const throughInbox = Effect.fnUntraced(function* (
  run: string,
  request: Request,
  { say }: Asker,
  pid: number | undefined,
) {
  const inbox = yield* Inbox
  const ledger = yield* Ledger
  const isSpoken = (yield* Acting) !== undefined
  const elsewhere = (owner: string) => {
    const where = `${owner} drives the run, which takes requests of the users of its machine only`
    return new RequestRefused({ run, reason: `${where}. Ask there, on the command line`, elsewhere: true })
  }
  if (isSpoken && pid !== undefined && pid !== process.pid) return yield* elsewhere(`Process ${pid}`)
  const id = yield* inbox.put(run, request)
  return yield* Effect.gen(function* () {
    for (let looks = 0; ; looks++) {
      const answer = yield* inbox.answerTo(run, id)
      if (Option.isSome(answer)) return answer
      const owned = yield* ledger.owned(StreamName.ofRun(run))
      if (!owned) {
        yield* inbox.withdraw(run, id)
        return yield* inbox.answerTo(run, id)
      }
      if (isSpoken && looks === looksUntaken && (yield* inbox.withdraw(run, id))) {
        return yield* elsewhere("Another process")
      }
      if (looks === looksInSilence && say !== undefined) {
        const owner = pid === undefined ? "The process" : `Process ${pid}`
        yield* say(
          `${owner} that drives run ${run} has not answered yet; waiting for it. Ctrl-C takes the request back.`,
        )
      }
      yield* Effect.sleep(lookMillis)
    }
  }).pipe(Effect.onInterrupt(() => Effect.ignore(inbox.withdraw(run, id))))
})

const partiesOf = (settings: Settings["Service"], recalled: Recalled, { by, now }: Asker): Requests.Parties => ({
  by,
  requester: recalled.requester,
  selfApproval: Requests.selfApproval(settings, recalled.created.env),
  now,
  writes: true,
})

/** Fails where a run would not do what is asked, as it stands now. */
export const check = Effect.fn("Requests.check")(function* (
  run: string,
  recalled: Recalled,
  request: Request,
  asker: Asker,
) {
  const prepared = yield* Prepared.prepare(recalled.plan)
  const { entries } = yield* (yield* Ledger).read(StreamName.ofRun(run))
  const parties = partiesOf(yield* Settings, recalled, asker)
  const verdict = Requests.judge(run, prepared, fold(prepared, entries, asker.now), request, parties)
  if ("refused" in verdict) return yield* new RequestRefused({ run, reason: verdict.refused })
})

/**
 * Brings a request before a run: its owner answers it, or, where no process owns the run, this one appends what it
 * amounts to. Succeeds when that is durable; what nobody has taken when this is interrupted is taken back.
 */
export const submit = Effect.fn("Requests.submit")(function* (
  run: string,
  recalled: Recalled,
  request: Request,
  asker: Asker,
) {
  const ledger = yield* Ledger
  const settings = yield* Settings
  const prepared = yield* Prepared.prepare(recalled.plan)
  const actor = yield* Acting
  const stream = StreamName.ofRun(run)
  const parties = partiesOf(settings, recalled, asker)
  const append = Effect.scoped(
    Effect.gen(function* () {
      const { chain, writer } = yield* ledger.reopen(stream)
      const verdict = Requests.judge(run, prepared, fold(prepared, chain.entries, asker.now), request, parties)
      if (!("event" in verdict)) return verdict
      const event = yield* Resolution.recordable(verdict.event, new Map())
      writer.append(event, verdict.task === undefined ? run : `${run}/${verdict.task}`, actor)
      yield* writer.durable.pipe(Effect.mapError((error) => new LedgerFailed({ stream, reason: error.message })))
      return { done: true } as const
    }),
  )
  while (true) {
    const answer = yield* append.pipe(
      Effect.asSome,
      Effect.catchTag("StreamBusy", ({ pid }) => throughInbox(run, request, asker, pid)),
    )
    if (Option.isNone(answer)) continue
    if ("refused" in answer.value) return yield* new RequestRefused({ run, reason: answer.value.refused })
    const { say } = asker
    if ("unrecorded" in answer.value && say !== undefined) {
      const lost = "it holds while the run's process lives, and is lost with it if that is not mended before"
      yield* say(`The run does it, but the record of it could not be written: ${answer.value.unrecorded}; ${lost}`)
    }
    return
  }
})

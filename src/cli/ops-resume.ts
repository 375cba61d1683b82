import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Entry, type EventData, data as eventData } from "../domain/event.ts"
import type { OpsChange } from "../domain/ops-flags.ts"
import * as Root from "../ledger/root.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { Signals } from "../services/signals.ts"
import { confirm } from "./confirm.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as OpsChanges from "./ops-change.ts"
import * as OpsPlace from "./ops-place.ts"
import * as Output from "./output.ts"
import { dateTime } from "./render/duration.ts"
import { clean } from "./render/line.ts"
import { seenText } from "./render/ops-flags.ts"
import { who } from "./who.ts"

/** The request to resume cannot be agreed to. */
export class ResumeRefused extends Schema.TaggedError<ResumeRefused>()("ResumeRefused", {
  reason: Schema.String,
  exitCode: Schema.Int,
}) {
  override get message() {
    return this.reason
  }
}

const resume: OpsChange = { operation: "resume" }

/** How long a request may be agreed to, milliseconds. */
const lastsMillis = 86_400_000

/**
 * Asks to resume: what is asked for, and the flags that it is about, stand in the ledger until another person agrees.
 * Ends with 16, since a person is waited for.
 */
export const request = Effect.fnUntraced(function* (reason: string) {
  const { flags, place } = yield* OpsPlace.find
  const { digest, flags: found } = yield* Effect.flatMap(Signals, ({ look }) => look).pipe(
    Effect.provide(OpsPlace.signals(place)),
  )
  if (Result.isFailure(found) && !found.failure.unset && found.failure.field !== "global_halt") {
    return yield* found.failure
  }
  if (Result.isSuccess(found) && !found.success.global_halt) {
    if (flags.json) return yield* Output.json({ v: 1, kind: "ops", operation: "resume", env: place.env, halted: false })
    return yield* Output.data("Nothing is to be resumed: global_halt is 0.")
  }
  const id = Bun.randomUUIDv7()
  yield* OpsPlace.record(place, {
    type: "dev.dandori.ops.requested.v1",
    data: { id, env: place.env, change: resume, reason, seen: digest },
  })
  // Another person's environment may say another one: it is named even where this call did not.
  const env = place.env === "dev" ? flags.env : Option.some(place.env)
  const approve = Hint.of({ ...flags, env }).files(`ops resume --approve ${id}`)
  if (flags.json) {
    const facts = { operation: "resume", env: place.env, halted: true, requested: id, by: who(), approve }
    yield* Output.json({ v: 1, kind: "ops", ...facts })
  } else yield* Output.data(`Asked for by ${who()}. Another person agrees, within a day, with: ${approve}`)
  yield* Output.exitWith(ExitCode.exitCodes.waiting)
})

/** A request as the ledger has it. */
interface Requested {
  readonly entry: Entry
  readonly data: EventData<"dev.dandori.ops.requested.v1">
}

const isRequested = Schema.is(eventData["dev.dandori.ops.requested.v1"])
const isApplied = Schema.is(eventData["dev.dandori.ops.applied.v1"])

/** The request of this id, where it is in the ledger of this environment and nobody has carried it out. */
const findRequest = Effect.fnUntraced(function* (place: OpsPlace.OpsPlace, id: string) {
  const entries = yield* Root.readWhole("system").pipe(Effect.provide(OpsPlace.ledger(place)))
  const found = entries.flatMap((entry): ReadonlyArray<Requested> => {
    const { data, type } = entry
    return type === "dev.dandori.ops.requested.v1" && isRequested(data) && data.id === id ? [{ entry, data }] : []
  })[0]
  const { noInput, noPermission, usage } = ExitCode.exitCodes
  if (found === undefined) {
    const reason = `Nobody has asked for ${clean(id)}. To ask: ${(yield* Hint.here).files("ops resume --reason TEXT")}`
    return yield* new ResumeRefused({ reason, exitCode: noInput })
  }
  if (found.data.env !== place.env) {
    const reason = `That was asked for in ${found.data.env}, this is ${place.env}: --env ${found.data.env}`
    return yield* new ResumeRefused({ reason, exitCode: usage })
  }
  const isDone = entries.some(
    ({ data, type }) => type === "dev.dandori.ops.applied.v1" && isApplied(data) && data.id === id,
  )
  if (isDone) return yield* new ResumeRefused({ reason: "That was agreed to and done already", exitCode: usage })
  const now = yield* Clock.currentTimeMillis
  if (now - Date.parse(found.entry.time) > lastsMillis) {
    const reason = `That was asked for at ${found.entry.time}, more than a day ago. Ask again: ${(yield* Hint.here).files("ops resume --reason TEXT")}`
    return yield* new ResumeRefused({ reason, exitCode: noPermission })
  }
  return found
})

/** Whether who asked may agree: in env dev only, by the configuration. */
const maySelf = (place: OpsPlace.OpsPlace) =>
  place.env === "dev"
    ? Effect.map(SettingsFiles.load(place.project, place.env), ({ sections }) => sections.approvals.selfApproval)
    : Effect.succeed(false)

/** Agrees to a request to resume, as another person than who asked, and resumes; not if the flags have changed since. */
export const approve = Effect.fnUntraced(function* (id: string, yes: boolean) {
  const { flags, place } = yield* OpsPlace.find
  const { data, entry } = yield* findRequest(place, id)
  const self = entry.authid === who()
  if (self && !(yield* maySelf(place))) {
    const reason = `${who()} asked for this and cannot agree to it. Somebody else has to`
    return yield* new ResumeRefused({ reason, exitCode: ExitCode.exitCodes.noPermission })
  }
  yield* Effect.gen(function* () {
    const seen = yield* (yield* Signals).look
    const asked = `${clean(entry.authid)} asked at ${dateTime(Date.parse(entry.time))}: ${clean(data.reason)}`
    const what = `Resume in ${place.env}\n  ${asked}\n${seenText(seen)}`
    const agreed = yield* confirm({ yes, noInput: flags.noInput, what, question: "Agree, and resume?" })
    if (!agreed) return yield* Output.message("Nothing was changed.")
    const second = { request: entry.entryhash, requester: entry.authid, ...(self ? { self: true as const } : {}) }
    const wanted = { id, change: data.change, reason: data.reason, second, seen: data.seen }
    yield* OpsChanges.carryOut(place, flags.json, wanted)
  }).pipe(Effect.provide(OpsPlace.signals(place)))
})

import { hostname } from "node:os"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Universe from "../domain/config/universe.ts"
import type { Event, EventData } from "../domain/event.ts"
import * as OpsFlags from "../domain/ops-flags.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { type Changed, Signals } from "../services/signals.ts"
import { confirm } from "./confirm.ts"
import * as ExitCode from "./exit-code.ts"
import * as OpsPlace from "./ops-place.ts"
import * as Output from "./output.ts"
import { seenJson, seenText } from "./render/ops-flags.ts"
import { who } from "./who.ts"

/** What is to be done could not be recorded first, so it was not done. */
export class Unrecorded extends Schema.TaggedError<Unrecorded>()("Unrecorded", {
  reason: Schema.String,
  exitCode: Schema.Int,
}) {
  override get message() {
    return `Nothing was changed, since it could not be recorded in the ledger: ${this.reason}`
  }
}

/** A change that somebody wants, and what two people make of it. */
export interface Wanted {
  readonly id: string
  readonly change: OpsFlags.OpsChange
  readonly reason: string
  /** Added to the record of the intent. */
  readonly second?: Pick<EventData<"dev.dandori.ops.intended.v1">, "request" | "requester" | "self">
  /** Digest of the flags that it may be made of. */
  readonly seen?: Sha256
}

/** How long a halt waits for the record of its intent, and a done one for that of its outcome, milliseconds. */
const intentMillis = 1_000
const outcomeMillis = 10_000

const sourceOf = ({ change, second }: Wanted): string => {
  const asked = second?.requester === undefined ? "" : `, asked for by ${second.requester}`
  return `dandori ops ${change.operation} by ${who()} on ${hostname()}${asked}`
}

type Failure = Effect.Error<ReturnType<Signals["Service"]["change"]>>

const outcomeOf = (
  { change, id, reason }: Wanted,
  env: OpsPlace.OpsPlace["env"],
  made: Result.Result<Changed, Failure>,
): Event => {
  const facts = { id, env, change, reason }
  if (Result.isFailure(made)) {
    const { _tag: tag, message } = made.failure
    const applied = "applied" in made.failure ? made.failure.applied : "no"
    return { type: "dev.dandori.ops.failed.v1", data: { ...facts, applied, error: { tag, message } } }
  }
  const { changed, flags } = made.success
  const after = Result.isSuccess(flags) ? { flags: flags.success } : { unreadable: flags.failure.message }
  return { type: "dev.dandori.ops.applied.v1", data: { ...facts, changed, ...after } }
}

const unrecorded = (reason: string) => Output.message(`It could not be recorded in the ledger: ${reason}`)

const tell = Effect.fnUntraced(function* (place: OpsPlace.OpsPlace, json: boolean, wanted: Wanted, made: Changed) {
  const { change, id } = wanted
  const { changed, updated_at } = made
  if (json) {
    const { operation, ...rest } = change
    const facts = { v: 1, kind: "ops", operation, id, env: place.env, ...rest, changed, updated_at }
    return yield* Output.json({ ...facts, ...seenJson(made) })
  }
  const before = changed ? "" : " The flags said so before."
  yield* Output.data(`${OpsFlags.changeText(change)}: done.${before}\n${seenText(made)}`)
})

const reasonOf = (exit: Exit.Exit<unknown, { readonly message: string }>): string =>
  Exit.isFailure(exit)
    ? Cause.prettyErrors(exit.cause)
        .map(({ message }) => message)
        .join("; ")
    : ""

/** A halt does not wait for its records: they are made beside it, and what cannot be recorded is said. */
const carryOutNow = Effect.fnUntraced(function* (place: OpsPlace.OpsPlace, json: boolean, wanted: Wanted) {
  const signals = yield* Signals
  const { change, id, reason } = wanted
  const intent: Event = { type: "dev.dandori.ops.intended.v1", data: { id, env: place.env, change, reason } }
  const recording = yield* Effect.forkChild(Effect.exit(OpsPlace.record(place, intent)))
  yield* Effect.timeoutOption(Fiber.await(recording), intentMillis)
  const made = yield* Effect.result(
    Effect.uninterruptible(signals.change(change, { reason, source: sourceOf(wanted) })),
  )
  if (Result.isSuccess(made)) yield* tell(place, json, wanted, made.success)
  const recorded = yield* Fiber.await(recording).pipe(
    Effect.andThen(Effect.exit(OpsPlace.record(place, outcomeOf(wanted, place.env, made)))),
    Effect.timeoutOption(outcomeMillis),
  )
  if (Option.isNone(recorded)) yield* unrecorded(`no answer within ${outcomeMillis / 1_000} s`)
  else if (Exit.isFailure(recorded.value)) yield* unrecorded(reasonOf(recorded.value))
  if (Result.isFailure(made)) return yield* made.failure
})

/** Records what is meant, does it, and records what came of it, in this order and to the end. */
export const carryOut = Effect.fnUntraced(function* (place: OpsPlace.OpsPlace, json: boolean, wanted: Wanted) {
  const signals = yield* Signals
  const { change, id, reason, second = {}, seen } = wanted
  const data = { id, env: place.env, change, reason, ...second }
  yield* OpsPlace.record(place, { type: "dev.dandori.ops.intended.v1", data }).pipe(
    Effect.mapError((error) => new Unrecorded({ reason: error.message, exitCode: ExitCode.ofError(error) })),
  )
  const made = yield* Effect.result(signals.change(change, { reason, source: sourceOf(wanted) }, seen)).pipe(
    Effect.tap((result) =>
      OpsPlace.record(place, outcomeOf(wanted, place.env, result)).pipe(
        Effect.catch(({ message }) => unrecorded(message)),
      ),
    ),
    Effect.uninterruptible,
  )
  if (Result.isFailure(made)) return yield* made.failure
  yield* tell(place, json, wanted, made.success)
})

/** What a person asks for on the command line. */
export interface ChangeRequest {
  readonly change: OpsFlags.OpsChange
  readonly reason: string
  readonly yes: boolean
}

/** What lets more happen, or closes positions, is asked about first. A stop is not. */
const isDangerous = ({ operation }: OpsFlags.OpsChange) =>
  operation === "flatten" || operation === "resume-pairs" || operation === "set-leverage"

/** Changes the operations flags. A halt needs nothing but the messaging section and what keeps the flags. */
export const make = Effect.fnUntraced(function* ({ change, reason, yes }: ChangeRequest) {
  const { flags, place } = yield* OpsPlace.find
  const wanted = { id: Bun.randomUUIDv7(), change, reason }
  const provided = Effect.provide(OpsPlace.signals(place))
  if (change.operation === "halt") return yield* provided(carryOutNow(place, flags.json, wanted))
  if (change.operation === "halt-pairs" || change.operation === "flatten") {
    const { universe } = (yield* SettingsFiles.load(place.project, place.env)).sections
    yield* Effect.fromResult(Universe.known(universe, change.pairs))
  }
  if (isDangerous(change)) {
    const what = `${OpsFlags.changeText(change)} in ${place.env}: ${reason}`
    const agreed = yield* confirm({ yes, noInput: flags.noInput, what, question: "Do that?" })
    if (!agreed) return yield* Output.message("Nothing was changed.")
  }
  yield* provided(carryOut(place, flags.json, wanted))
})

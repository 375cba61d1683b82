import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { RecoverTarget } from "../../../domain/config/evacuation.ts"
import { formatDuration } from "../../../domain/quantity.ts"
import * as Http from "../../http.ts"
import { LifeSign } from "../../life-sign.ts"
import { pause } from "../../process-groups.ts"
import type { Running } from "./recovered-process.ts"
import * as Served from "./served-model.ts"

/** A program that was brought up does not do what it is to do. `ended`: it ran no more. */
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", {
  name: Schema.String,
  reason: Schema.String,
  ended: Schema.Boolean,
}) {
  override get message() {
    return this.reason
  }
}

const askMillis = 5_000
const smokeMillis = 30_000
const pollMillis = 100
const exitMillis = 1_000
const maxBytes = 1 << 20
const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))

const get = (url: string, timeoutMillis: number) =>
  Http.send({ method: "GET", url, headers: {}, timeoutMillis, maxBytes, isAnswer: () => true })

/** True when somebody answers at a URL, whatever he says. */
export const answers = (url: string): Effect.Effect<boolean> =>
  get(url, askMillis).pipe(
    Effect.as(true),
    // A connection that is taken and not answered is somebody too.
    Effect.catch((error) => Effect.succeed(error._tag !== "HttpUnreachable")),
  )

/** Why the answer of a target's ready URL is not the one that is waited for; undefined where it is. */
const problemOf = ({ body, status }: Http.Answer, expected: Served.Expected | undefined): string | undefined => {
  if (status !== 200) return `it answers ${status}`
  if (expected === undefined) return undefined
  return Option.match(decodeJson(new TextDecoder().decode(body)), {
    onNone: () => "its answer is no JSON that would name a version",
    onSome: (json) => Served.mismatch(json, expected),
  })
}

/** How a program ended; its exit is told a moment after it is gone. */
const howEnded = Effect.fnUntraced(function* ({ ended }: Pick<Running, "ended">) {
  for (const until = performance.now() + exitMillis; ended() === undefined && performance.now() < until;) {
    yield* pause(10)
  }
  return ended() ?? "nobody saw how"
})

/**
 * Waits until the ready URL answers 200, with the version and digest that are expected where some are. Where the
 * program has ended there is nothing to wait for.
 */
export const wait = Effect.fn("Evacuation.ready")(function* (
  { name, ready }: RecoverTarget,
  expected: Served.Expected | undefined,
  withinMillis: number,
  running: Pick<Running, "ended" | "lives">,
) {
  const alive = yield* LifeSign
  const until = performance.now() + withinMillis
  let problem: string | undefined
  for (;;) {
    alive()
    if (!running.lives()) {
      const how = yield* howEnded(running)
      return yield* new NotReady({ name, reason: `it ended (${how}) before it was ready`, ended: true })
    }
    const leftMillis = until - performance.now()
    if (leftMillis <= 0) {
      const reason = `it was not ready within ${formatDuration(Math.round(withinMillis))}: ${problem ?? "it was not asked"}`
      return yield* new NotReady({ name, reason, ended: false })
    }
    const found = yield* get(ready.url, Math.ceil(Math.min(askMillis, leftMillis))).pipe(
      Effect.map((answer) => problemOf(answer, expected)),
      // The last request is cut short by the end of the time: what was answered before it says more.
      Effect.catch((error) =>
        Effect.succeed(error._tag === "HttpNoAnswer" ? (problem ?? error.message) : error.message),
      ),
    )
    if (found === undefined && running.lives()) return
    if (found !== undefined) problem = found
    yield* pause(Math.min(pollMillis, Math.max(1, until - performance.now())))
  }
})

/** The smoke prediction: one request, which must be answered as it is written. */
export const smoke = Effect.fn("Evacuation.smoke")(function* (
  { name, smoke: asked }: RecoverTarget,
  limitMillis: number,
) {
  if (asked === undefined) return
  const { body, status = 200, url } = asked
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const failed = (reason: string) =>
    new NotReady({ name, reason: `its smoke prediction failed: ${reason}`, ended: false })
  const answer = yield* Http.send({
    method: body === undefined ? "GET" : "POST",
    url,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    ...sent,
    timeoutMillis: Math.ceil(Math.max(1, Math.min(smokeMillis, limitMillis))),
    maxBytes,
    isAnswer: () => true,
  }).pipe(Effect.mapError(({ message }) => failed(message)))
  if (answer.status !== status) return yield* failed(`it answers ${answer.status}, and is to answer ${status}`)
})

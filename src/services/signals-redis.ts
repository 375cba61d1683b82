import type { Redis } from "ioredis"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { MessagingSection } from "../domain/config/messaging.ts"
import * as OpsFlags from "../domain/ops-flags.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as RedisConnection from "./redis-connection.ts"
import { Secrets } from "./secrets.ts"
import * as Service from "./signals.ts"
import { FlagsMoved, FlagsUnreadable, Signals, SignalsUnavailable } from "./signals.ts"

/**
 * Sets fields of a hash and tells a channel, if the fields that the change started from are still what they were: 0 where
 * they are not, else 1, the hash before and after, and why the channel could not be told. `-` stands for a field that is
 * not there, `+` before the value of one that is.
 */
const script = `
local at = 4
for i = 1, tonumber(ARGV[3]) do
  local have = redis.call('HGET', KEYS[1], ARGV[at])
  if (have and '+' .. have or '-') ~= ARGV[at + 1] then return {0} end
  at = at + 2
end
local before = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, at))
local told = redis.pcall('PUBLISH', ARGV[1], ARGV[2])
return {1, before, redis.call('HGETALL', KEYS[1]), type(told) == 'table' and told.err or ''}
`

/** So many changes at the same time find the flags changed under them before one gives up. */
const mostTries = 200
/** So many messages wait for one who listens. */
const mostWaiting = 10_000

type Pairs = ReadonlyArray<Uint8Array>
type Answer = readonly [0] | readonly [1, Pairs, Pairs, Uint8Array]

const storedOf = (flat: Pairs): OpsFlags.Stored => {
  const stored = new Map<string, Uint8Array>()
  for (let i = 0; i + 1 < flat.length; i += 2) stored.set(Buffer.from(flat[i]).toString(), flat[i + 1])
  return stored
}

const expectation = (value: Uint8Array | string | undefined): Buffer =>
  value === undefined ? Buffer.from("-") : Buffer.concat([Buffer.from("+"), Buffer.from(value)])

const make = Effect.fnUntraced(function* (messaging: MessagingSection) {
  const secrets = yield* Secrets
  const connecting = Semaphore.makeUnsafe(1)
  const key = messaging.keys.ops_flags
  const channel = messaging.channels.ops_events
  const patience = parseDuration(messaging.subscribe_timeout) ?? 5_000
  let current: RedisConnection.Connection | undefined

  /** A connection of its own. Where there is none, nothing was sent. */
  const opened = secrets.resolve(messaging.url).pipe(
    Effect.mapError(
      (cause) =>
        new SignalsUnavailable({ where: "Redis", reason: cause.message, applied: "no", transient: false, cause }),
    ),
    Effect.flatMap((url) => RedisConnection.connect(url)),
    Effect.mapError((error) => {
      if (error._tag === "SignalsUnavailable") return error
      const { fix, reason, transient, where } = error
      const unusable = `it cannot be used: ${secrets.redact(reason)}; ${fix}`
      return new SignalsUnavailable({ where, reason: unusable, applied: "no", transient })
    }),
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => current?.redis.disconnect()))

  /** The connection of commands, opened where there is none or it was lost. */
  const connected = connecting.withPermit(
    Effect.suspend(() =>
      current?.redis.status === "ready"
        ? Effect.succeed(current)
        : Effect.tap(opened, (fresh) => Effect.sync(() => void (current = fresh))),
    ),
  )

  /** One command. A refusal did nothing; a connection that was lost on the way leaves open what happened. */
  const send = <A>(what: string, command: (redis: Redis) => Promise<A>): Effect.Effect<A, SignalsUnavailable> =>
    Effect.flatMap(connected, ({ redis, where }) =>
      Effect.tryPromise({
        try: () => command(redis),
        catch: (cause) => {
          // A server may repeat what it was sent.
          const reason = secrets.redact(cause instanceof Error ? cause.message : String(cause))
          if (RedisConnection.isRefusal(cause)) {
            return new SignalsUnavailable({
              where,
              reason: `it refused to ${what}: ${reason}`,
              applied: "no",
              transient: false,
            })
          }
          redis.disconnect()
          const lost = `the connection was lost while it was asked to ${what}: ${reason}`
          return new SignalsUnavailable({ where, reason: lost, applied: "unknown", transient: true })
        },
      }),
    )

  const atKey = () => current?.where ?? "Redis"

  /** A read changes nothing: it is asked once more over a new connection when the old one turns out to be dead. */
  const stored = send(`read ${key}`, (redis) => redis.hgetallBuffer(key)).pipe(
    Effect.retry({ times: 1, while: ({ applied }) => applied === "unknown" }),
    Effect.mapError((error) => (error.applied === "no" ? error : new SignalsUnavailable({ ...error, applied: "no" }))),
    Effect.map((hash): OpsFlags.Stored => new Map(Object.entries(hash))),
  )
  const look = Effect.map(stored, (found) => Service.seen(atKey(), key, found))

  const change: Signals["Service"]["change"] = Effect.fn("Signals.change")(function* (asked, { reason, source }, seen) {
    const needed = seen === undefined ? OpsFlags.readsOf(asked) : OpsFlags.fields
    for (let tries = 0; tries < mostTries; tries++) {
      const found: OpsFlags.Stored = needed.length === 0 ? new Map() : yield* stored
      if (seen !== undefined && OpsFlags.digest(found) !== seen) {
        return yield* new FlagsMoved({ operation: asked.operation })
      }
      const updated_at = new Date(yield* Clock.currentTimeMillis).toISOString()
      const note = { updated_at, reason, source }
      const { event, set } = yield* Effect.fromResult(OpsFlags.plan(found, asked, note)).pipe(
        Effect.mapError((fault) => new FlagsUnreadable({ where: atKey(), key, ...fault })),
      )
      const expected = needed.flatMap((field) => [field, expectation(found.get(field))])
      const args = [channel, event, String(needed.length), ...expected, ...Object.entries(set).flat()]
      const answer = yield* send(
        OpsFlags.changeText(asked),
        (redis) => redis.callBuffer("EVAL", script, 1, key, ...args) as Promise<Answer>,
      )
      if (answer.length === 1) continue
      const [, before, after, problem] = answer
      if (problem.length > 0) {
        const untold = `it refused to tell ${channel}: ${Buffer.from(problem).toString()}`
        return yield* new SignalsUnavailable({ where: atKey(), reason: untold, applied: "yes", transient: false })
      }
      const { changed } = yield* Effect.orDie(Effect.fromResult(OpsFlags.plan(storedOf(before), asked, note)))
      return { ...Service.seen(atKey(), key, storedOf(after)), changed, updated_at }
    }
    const busy = `others changed the flags ${mostTries} times while this change was made`
    return yield* new SignalsUnavailable({ where: atKey(), reason: busy, applied: "no", transient: true })
  })

  const subscribe: Signals["Service"]["subscribe"] = Effect.fn("Signals.subscribe")(function* (name) {
    const { redis, where } = yield* Effect.acquireRelease(
      opened,
      (listening) => Effect.sync(() => listening.redis.disconnect()),
      { interruptible: true },
    )
    const lost = (reason: string) =>
      new SignalsUnavailable({
        where,
        reason: `${name} is not heard any more: ${reason}`,
        applied: "no",
        transient: true,
      })
    const queue = yield* Queue.dropping<string, SignalsUnavailable>(mostWaiting)
    const end = (reason: string) => {
      Queue.failCauseUnsafe(queue, Cause.fail(lost(reason)))
      redis.disconnect()
    }
    redis.on("message", (_: string, text: string) => {
      if (!Queue.offerUnsafe(queue, text)) end(`more than ${mostWaiting} messages wait to be read`)
    })
    redis.on("end", () => end("the connection was lost"))
    const asked = <A>(command: () => Promise<A>) =>
      Effect.tryPromise({
        try: command,
        catch: (cause) => lost(cause instanceof Error ? cause.message : String(cause)),
      }).pipe(
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () => Effect.fail(lost(`no answer within ${patience} ms`)),
        }),
      )
    yield* asked(() => redis.subscribe(name))
    // A server that vanished without a word is noticed by its silence.
    yield* Effect.sleep(patience).pipe(
      Effect.andThen(asked(() => redis.ping())),
      Effect.forever,
      Effect.catch((error) => Effect.sync(() => end(error.reason))),
      Effect.forkScoped,
    )
    return Stream.fromQueue(queue)
  })

  return Signals.of({
    look,
    mayAct: Service.mayAct(look),
    change,
    publish: (name, message) =>
      Effect.asVoid(send(`publish on ${name}`, (redis) => redis.publish(name, JSON.stringify(message)))),
    subscribe,
  })
})

/** Signals in the Redis of `messaging.url`. It is connected to when something is asked of it. */
export const layer = (messaging: MessagingSection): Layer.Layer<Signals, never, Secrets> =>
  Layer.effect(Signals, make(messaging))

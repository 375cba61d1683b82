import { isIP } from "node:net"
import type { Redis, RedisOptions } from "ioredis"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

/** How long a connection, and then each command, may take, milliseconds. */
export const timeoutMillis = 5_000
/** How often a server that does not answer is tried again. */
const retries = 2

/** No connection to a Redis. `where` names its host and port and never its password. */
export class RedisUnreachable extends Schema.TaggedError<RedisUnreachable>()("RedisUnreachable", {
  where: Schema.String,
  reason: Schema.String,
  /** False where trying again is of no use, like a wrong password. */
  transient: Schema.Boolean,
  /** Whether a server is there, or no server could be looked for: then only the URL is to be mended. */
  isUrl: Schema.Boolean,
}) {
  /** What to do about it. */
  get fix() {
    return this.isUrl ? "correct messaging.url" : "start the server, open the way to it, or correct messaging.url"
  }
  override get message() {
    return `${this.where} cannot be used: ${this.reason}`
  }
}

/** An open connection and what it goes to, like `Redis at 10.0.0.5:6379`. */
export interface Connection {
  readonly redis: Redis
  readonly where: string
}

/** What a URL says. */
export interface Target {
  readonly where: string
  readonly options: RedisOptions & { readonly host: string; readonly port: number }
}

const isDatabase = (text: string) => /^\d{1,4}$/.test(text)

const refuse = (reason: string) =>
  new RedisUnreachable({ where: "The Redis of messaging.url", reason, transient: false, isUrl: true })

/** What a URL `redis[s]://[user][:password@]host[:port][/database]` says, and nothing more. */
export const targetOf = (secret: Redacted.Redacted<string>): Effect.Effect<Target, RedisUnreachable> =>
  Effect.suspend(() => {
    const text = Redacted.value(secret)
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url === undefined || !["redis:", "rediss:"].includes(url.protocol) || url.hostname === "") {
      return Effect.fail(refuse("it is no URL like redis://host:6379/0, or rediss://… for TLS"))
    }
    const database = url.pathname.replace(/^\//, "") || "0"
    if (!isDatabase(database)) return Effect.fail(refuse("what stands after its host is no number of a database"))
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
    const port = url.port === "" ? 6379 : Number(url.port)
    const plain = (part: string) =>
      Effect.try({
        try: () => decodeURIComponent(part),
        catch: () => refuse("its user or password is not percent-encoded as a URL wants it"),
      })
    return Effect.map(Effect.all([plain(url.username), plain(url.password)]), ([username, password]) => ({
      where: `Redis at ${host}:${port}`,
      options: {
        host,
        port,
        db: Number(database),
        ...(username === "" ? {} : { username }),
        ...(password === "" ? {} : { password }),
        ...(url.protocol === "rediss:" ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
        connectionName: "dandori",
        disableClientInfo: true,
        lazyConnect: true,
        keepAlive: 10_000,
        connectTimeout: timeoutMillis,
        commandTimeout: timeoutMillis,
        // A lost connection is opened anew by whoever uses it next: nothing is sent twice behind their back.
        retryStrategy: null,
        autoResendUnfulfilledCommands: false,
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
      } satisfies RedisOptions,
    }))
  })

const isReply = (error: Error) => error.name === "ReplyError"

/** One try. What goes wrong before the connection is ready, a wrong database included, keeps it from being used. */
const tryOnce = ({ options, where }: Target, IoRedis: typeof Redis): Effect.Effect<Connection, RedisUnreachable> =>
  Effect.callback<Connection, RedisUnreachable>((resume) => {
    const redis = new IoRedis(options)
    let first: Error | undefined
    redis.on("error", (error: Error) => void (first ??= error))
    const fail = (error: Error) => {
      redis.disconnect()
      resume(
        Effect.fail(
          new RedisUnreachable({
            where,
            reason: error.message,
            transient: !isReply(error),
            isUrl: isReply(error),
          }),
        ),
      )
    }
    redis.connect().then(
      () => (first === undefined ? resume(Effect.succeed({ redis, where })) : fail(first)),
      (error: Error) => fail(first ?? error),
    )
    return Effect.sync(() => redis.disconnect())
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () =>
        Effect.fail(
          new RedisUnreachable({
            where,
            reason: `no answer within ${timeoutMillis} ms`,
            transient: false,
            isUrl: false,
          }),
        ),
    }),
  )

/** Connects; whoever asked disconnects. A server that is not there is tried again twice within a second. */
export const connect = (url: Redacted.Redacted<string>): Effect.Effect<Connection, RedisUnreachable> =>
  Effect.gen(function* () {
    const target = yield* targetOf(url)
    const { Redis } = yield* Effect.promise(() => import("ioredis"))
    return yield* tryOnce(target, Redis).pipe(
      Effect.retry({ times: retries, schedule: Schedule.exponential(100, 3), while: ({ transient }) => transient }),
    )
  })

/** Connects once and hangs up: the server is there, takes the password and has the database. Gives where it is. */
export const probe = (url: Redacted.Redacted<string>): Effect.Effect<string, RedisUnreachable> =>
  Effect.map(connect(url), ({ redis, where }) => {
    redis.disconnect()
    return where
  })

/** Whether the server refused a command, which then did nothing. */
export const isRefusal = (error: unknown): boolean => error instanceof Error && isReply(error)

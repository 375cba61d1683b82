import type postgres from "postgres"
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Address } from "./postgres-address.ts"
import * as Errors from "./postgres-errors.ts"
import * as Session from "./postgres-session.ts"
import * as Sockets from "./postgres-socket.ts"

/** One connection to a server. Once it is lost, every statement fails: none runs on another one behind its back. */
export interface PostgresConnection extends Connection {
  readonly isLost: () => boolean
  readonly close: Effect.Effect<void>
}

/** How one is opened. */
export interface Options extends Session.Options {
  readonly address: Address
  /** For connecting, and for what the server takes to say that a statement took too long. */
  readonly timeoutMillis: number
  /** Closes the connection when it was not used for so long; undefined: never. */
  readonly idleMillis: number | undefined
  /** Listens on a channel as long as it is open. */
  readonly listen: Listen | undefined
}

/** A channel of NOTIFY, and who is told of each notification. */
export interface Listen {
  readonly channel: string
  readonly heard: () => void
}

/** What the driver puts into a query once it was sent, though its type does not tell. */
interface Sent {
  readonly state?: Partial<Sockets.Backend> | null
}

/** The driver's iterators answer without a promise where they end. */
const promising = <A>(rows: AsyncIterable<A>): AsyncIterable<A> => ({
  [Symbol.asyncIterator]: () => {
    const iterator = rows[Symbol.asyncIterator]()
    return {
      next: () => Promise.resolve(iterator.next()),
      return: () => Promise.resolve(iterator.return?.() ?? { done: true, value: undefined }),
    }
  },
})

/** A query on its way. */
interface Begun<A> {
  readonly query: object
  readonly rows: Promise<A>
}

/**
 * What effect/sql takes for a defect when it fails. With its connection a transaction is undone, and its COMMIT fails: so
 * that these were lost, too, is nothing to be said.
 */
const endsPart = /^(ROLLBACK|RELEASE SAVEPOINT)/

const patience = 1_000

/** Whole numbers as numbers (as text where a number is not exact), times as ISO 8601 in UTC, JSON as its text. */
const types = {
  int8: {
    to: 20,
    from: [20],
    serialize: String,
    parse: (text: string) => (Number.isSafeInteger(Number(text)) ? Number(text) : text),
  },
  timestamptz: {
    to: 1184,
    from: [1184],
    serialize: (value: Date | string) => (typeof value === "string" ? value : value.toISOString()),
    parse: (text: string) => new Date(text).toISOString(),
  },
  json: { to: 114, from: [114], serialize: String, parse: String },
  jsonb: { to: 3802, from: [3802], serialize: String, parse: String },
}

/**
 * Opens a connection of its own by a driver whose pool is this one. Fails where the server cannot be reached, or not be
 * used as it is. Closes it again where the wait for the server, which goes through `restore`, is interrupted.
 */
export const open = Effect.fnUntraced(function* (
  driver: typeof postgres,
  options: Options,
  restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>,
) {
  const { address, statementTimeoutMillis, timeoutMillis } = options
  const { place } = address
  let isLost = false
  const sockets = Sockets.make(address)
  /** An option that the driver's types leave out. */
  const untyped: object = { socket: sockets.make }
  const sql = driver({
    ...untyped,
    host: address.host,
    port: address.port,
    database: address.database,
    ...(address.user === undefined ? {} : { username: address.user }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ssl: address.tls === false ? false : address.tls,
    max: 1,
    max_lifetime: null,
    idle_timeout: options.idleMillis === undefined ? undefined : Math.max(1, Math.round(options.idleMillis / 1_000)),
    connect_timeout: Math.max(1, Math.ceil(timeoutMillis / 1_000)),
    fetch_types: false,
    onnotice: () => {},
    ...(options.listen === undefined ? {} : { onnotify: options.listen.heard }),
    onclose: () => {
      isLost = true
    },
    types,
    connection: Session.settings(options),
  })

  const close = Effect.promise(() => {
    isLost = true
    sockets.abandon()
    return sql.end({ timeout: 0 }).then(
      () => {},
      () => {},
    )
  })

  /** Has the server stop what it does for this connection, and gives the connection up: a late signal could hit what comes after. */
  const giveUp = (query: object, ended: Promise<unknown>) =>
    Effect.promise(() => {
      isLost = true
      const { pid, secret } = (query as Sent).state ?? {}
      // What was not sent yet is not to be cancelled.
      if (typeof pid !== "number" || typeof secret !== "number") return Promise.resolve()
      const told = Sockets.cancel(address, { pid, secret }, patience)
      return Promise.race([Promise.all([told, ended]), Bun.sleep(patience)])
    }).pipe(Effect.andThen(close))

  const start = <A>(operation: string, begin: () => Begun<A>): Effect.Effect<A, SqlError> =>
    Effect.callback<A, SqlError>((resume) => {
      if (isLost) return resume(Effect.fail(Errors.lost(operation, place, "the connection was lost before")))
      const { query, rows } = begin()
      const ended = rows.then(
        (answer) => resume(Effect.succeed(answer)),
        (cause: unknown) => {
          const error = Errors.failure(operation, place, cause)
          if (error.reason._tag === "ConnectionError") isLost = true
          resume(Effect.fail(error))
        },
      )
      return giveUp(query, ended)
    })
  const run = <A>(operation: string, begin: () => Begun<A>): Effect.Effect<A, SqlError> =>
    // A server that is stopped, or a network that swallows packets, does not say so.
    Effect.timeoutOrElse(start(operation, begin), {
      duration: statementTimeoutMillis + timeoutMillis,
      orElse: () => Effect.fail(Errors.lost(operation, place, "the server does not answer any more")),
    })

  const all = (text: string, params: ReadonlyArray<unknown>, prepare: boolean) =>
    run("query", () => {
      const query = sql.unsafe(text, params as Array<postgres.ParameterOrJSON<never>>, { prepare })
      return { query, rows: query.then((rows): ReadonlyArray<object> => rows) }
    })
  const values = (text: string, params: ReadonlyArray<unknown>, prepare: boolean) =>
    run("query", () => {
      const query = sql.unsafe(text, params as Array<postgres.ParameterOrJSON<never>>, { prepare })
      return { query, rows: query.values().then((rows): ReadonlyArray<ReadonlyArray<unknown>> => rows) }
    })
  const execute =
    (prepare: boolean): Connection["execute"] =>
    (text, params, transformRows) =>
      transformRows === undefined
        ? all(text, params, prepare)
        : Effect.map(all(text, params, prepare), (rows) => transformRows(rows))

  const connection: PostgresConnection = {
    isLost: () => isLost,
    close,
    execute: execute(true),
    executeUnprepared: (text, params, transformRows) => {
      const run = execute(false)(text, params, transformRows)
      if (!endsPart.test(text)) return run
      return Effect.catchIf(
        run,
        () => isLost,
        () => Effect.succeed([]),
      )
    },
    executeRaw: (text, params) => all(text, params, true),
    executeValues: (text, params) => values(text, params, true),
    executeValuesUnprepared: (text, params) => values(text, params, false),
    executeStream: (text, params, transformRows) =>
      Stream.suspend(() => {
        if (isLost) return Stream.fail(Errors.lost("stream", place, "the connection was lost before"))
        const query = sql.unsafe(text, params as Array<postgres.ParameterOrJSON<never>>, { prepare: true })
        return Stream.fromAsyncIterable(promising(query.cursor(256)), (cause) =>
          Errors.failure("stream", place, cause),
        ).pipe(Stream.flatMap((rows) => Stream.fromIterable(transformRows === undefined ? rows : transformRows(rows))))
      }),
  }
  const answer = start("connect", () => {
    const query = sql.unsafe(Session.check(options))
    return { query, rows: query.values().then((rows): ReadonlyArray<ReadonlyArray<unknown>> => rows) }
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () =>
        Effect.fail(
          Errors.failure("connect", place, Object.assign(new Error("it took too long"), { code: "CONNECT_TIMEOUT" })),
        ),
    }),
    Effect.flatMap((rows) => {
      sockets.opened()
      const problem = Session.problem(place, rows)
      return problem === undefined ? Effect.void : Effect.fail(problem)
    }),
  )
  const { listen } = options
  const ready =
    listen === undefined
      ? answer
      : Effect.andThen(answer, connection.executeUnprepared(`LISTEN "${listen.channel}"`, [], undefined))
  yield* Effect.onError(restore(ready), () => close)
  return connection
})

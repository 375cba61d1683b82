import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as LeaseOwner from "./lease-owner.ts"
import * as Queue from "./lease-queue.ts"
import * as LeaseReclaim from "./lease-reclaim.ts"
import * as Rows from "./lease-rows-postgres.ts"
import { waitingOf } from "./lease-rows.ts"
import * as LeaseTerm from "./lease-term.ts"
import * as LeaseWatch from "./lease-watch.ts"
import { LeaseHeld, Leases, LeasesUnavailable, type LeaseRequest, type Waiting, waitingText } from "./leases.ts"
import * as Once from "./once.ts"
import * as Outage from "./outage.ts"
import * as Postgres from "./postgres.ts"
import { pause } from "./process-groups.ts"
import { migrate, type SchemaTooNew } from "./sql-migrations.ts"

/** Which database holds the leases, and the home of the project that takes them here. */
export interface SharedOptions {
  readonly database: Postgres.PostgresOptions
  readonly home: string
  /** How long the leases of an owner hold that gives no sign of life, milliseconds. */
  readonly termMillis?: number
}

/**
 * Six heartbeats, a third of it to stop what holds leases: longer than a server takes to start again, or a child process
 * to be stopped with its usual grace.
 */
const usualTermMillis = 30_000

/** What a request asked for is there no more: its owner's term was over while it waited. */
class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

type Lacking = ReadonlyArray<Queue.Lack<Rows.TermEntry>>

/** A request that has its ticket. */
interface Asked extends Queue.Place {
  readonly id: string
  readonly wants: ReadonlyArray<Queue.Want>
}

const ownersIn = (lacking: Lacking) =>
  lacking.flatMap(({ earlier, holders }) => [...holders, ...earlier].map(({ owner }) => owner))

/** The database is away for good, or refuses. */
const unavailable = (error: SqlError | SchemaTooNew) =>
  new LeasesUnavailable({ path: "PostgreSQL", reason: error.message })

/** The server's word that a row refers to one that is not there. */
const isOrphan = ({ reason }: SqlError): boolean =>
  (reason.cause as { readonly code?: unknown } | null)?.code === "23503"

/**
 * Leases in PostgreSQL, for all machines that use the database: a lease is a row that holds as long as its owner's is
 * there, and that goes only when its term is over, or its process is known to be dead.
 */
export const make = Effect.fnUntraced(function* ({ database, home, termMillis = usualTermMillis }: SharedOptions) {
  const folder = LeaseOwner.sharedFolder(home)
  const oneAtATime = Semaphore.makeUnsafe(1)
  const sql = yield* Postgres.open(database)
  const rows = Rows.make(sql)
  const watch = yield* LeaseWatch.make(rows)
  const beatMillis = Math.round(termMillis / 6)
  const beating = yield* Postgres.open({
    ...database,
    pool: { min: 1, max: 1 },
    timeoutMillis: Math.min(database.timeoutMillis, beatMillis),
    statementTimeoutMillis: beatMillis,
    listen: { channel: Rows.channel, heard: watch.changed },
  })
  const ready = yield* Once.untilItSucceeds(
    Effect.andThen(migrate(sql, "leases", Rows.migrations), Effect.ignore(rows.removeIdle)),
  )
  /** What was given back, and how often the heartbeat still removes it: a statement that was cut off may end later. */
  const dropped = new Map<string, number>()
  const term = yield* LeaseTerm.make({
    rows,
    beating: Rows.make(beating),
    folder,
    termMillis,
    dropped: () => {
      const ids = [...dropped.keys()]
      for (const [id, left] of dropped) {
        if (left > 1) dropped.set(id, left - 1)
        else dropped.delete(id)
      }
      return ids
    },
  })
  const owned = oneAtATime.withPermit(term.owned)

  const release = (id: string) =>
    Effect.suspend(() => {
      dropped.set(id, 6)
      watch.changed()
      return Effect.raceFirst(Effect.ignore(rows.removeAll([id])), pause(2_000))
    })

  const { inBackground, isDead, reclaim } = yield* LeaseReclaim.make({
    rows,
    home,
    folder,
    own: term.current,
    changed: watch.changed,
  })

  const lacksIn = ({ id, priority, ticket, wants }: Asked, entries: ReadonlyArray<Rows.TermEntry>) =>
    entries.some((entry) => entry.id === id)
      ? Effect.succeed(Queue.lacks({ ticket, priority }, wants, entries))
      : Effect.fail(new Gone())

  const namesOf = (wants: ReadonlyArray<Queue.Want>) => wants.map(({ name }) => name)

  /** Takes all that a request wants, if nothing is lacking. */
  const take = (asked: Asked) =>
    sql.withTransaction(
      Effect.gen(function* () {
        const names = namesOf(asked.wants)
        yield* rows.alone(names)
        const lacking = yield* lacksIn(asked, yield* rows.entries(names))
        if (lacking.length === 0 && !(yield* rows.hold(asked.id))) return yield* new Gone()
        return lacking
      }),
    )

  /** Puts a request into the queue; it holds at once when nothing lacks. Safe to be sent again. */
  const ask = (owner: string, id: string, request: LeaseRequest) =>
    sql
      .withTransaction(
        Effect.gen(function* () {
          const wants = Queue.wantsOf(request)
          yield* rows.alone(namesOf(wants))
          const ticket = yield* rows.ask(id, owner, request, wants)
          const asked: Asked = { id, ticket, priority: request.priority, wants }
          const lacking = yield* lacksIn(asked, yield* rows.entries(namesOf(wants)))
          if (lacking.length === 0 && !(yield* rows.hold(id))) return yield* new Gone()
          return { asked, lacking }
        }),
      )
      .pipe(
        Effect.catchIf(
          (error) => isSqlError(error) && isOrphan(error),
          () => Effect.fail(new Gone()),
        ),
      )

  const outlast = <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>) =>
    Outage.outlast("Taking pools and locks", effect)

  /** For who does not want to wait: ten seconds, in which a server can start again. */
  const patiently = <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>) =>
    Effect.retry(effect, {
      while: (error) => isSqlError(error) && Outage.isPassing(error),
      times: 20,
      schedule: Schedule.spaced(500),
    })

  /** Removes the dead from a request's way; what it lacks then. */
  const withoutTheDead = Effect.fnUntraced(function* (asked: Asked, first: Lacking) {
    const tried = new Set<string>()
    for (let lacking = first; ;) {
      const dead = ownersIn(lacking).filter((owner) => !tried.has(owner.id) && isDead(owner))
      if (dead.length === 0) return lacking
      for (const owner of dead) {
        tried.add(owner.id)
        yield* reclaim(owner)
      }
      lacking = yield* take(asked)
    }
  })

  /** Waits at the place in the queue until all is held. */
  const wait = Effect.fnUntraced(function* (asked: Asked, first: Lacking, onWaiting: (waiting: Waiting) => void) {
    const seen = yield* watch.follow(asked.id, namesOf(asked.wants))
    let said = ""
    for (let lacking = first; lacking.length > 0;) {
      const waiting = waitingOf(lacking)
      const text = waitingText(waiting)
      if (text !== said) onWaiting(waiting)
      said = text
      for (const owner of ownersIn(lacking)) if (isDead(owner)) yield* inBackground(owner)
      lacking = yield* lacksIn(asked, yield* yield* seen)
      if (lacking.length === 0) lacking = yield* outlast(take(asked))
    }
  }, Effect.scoped)

  /** Asks as the owner of now: gone with the scope. A lease is lost with its owner. */
  const begin = Effect.gen(function* () {
    yield* ready
    const owner = yield* owned
    const id = Bun.randomUUIDv7()
    yield* Effect.addFinalizer(() => release(id))
    return { id, owner }
  })
  type Begun = Effect.Success<typeof begin>

  const unlessGone = <A, E, R>({ owner }: Begun, effect: Effect.Effect<A, E | Gone, R>) =>
    Effect.tapError(effect, (error) => Effect.sync(() => (error instanceof Gone ? owner.removed() : undefined)))

  const stillHeld = ({ owner: { lease } }: Begun) =>
    lease.lost() === undefined ? Effect.succeed(lease) : Effect.fail(new Gone())

  /** In a scope of its own until it is held: a try whose owner was lost leaves nothing. */
  const tried = <A, E>(once: Effect.Effect<A, E | Gone | SqlError | SchemaTooNew, Scope.Scope>) =>
    Effect.gen(function* () {
      const outer = yield* Effect.scope
      const own = yield* Scope.fork(outer)
      return yield* Scope.provide(once, own).pipe(
        Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(own, exit))),
      )
    }).pipe(
      Effect.retry({ while: (error) => error instanceof Gone }),
      Effect.catchIf(
        (error): error is Extract<typeof error, Gone | SqlError | SchemaTooNew> =>
          error instanceof Gone || isSqlError(error) || (error as { _tag?: string })._tag === "SchemaTooNew",
        (error) => (error instanceof Gone ? Effect.die(error) : Effect.fail(unavailable(error))),
      ),
    )

  return Leases.of({
    acquire: (request, onWaiting) =>
      tried(
        Effect.gen(function* () {
          const begun = yield* outlast(begin)
          const waited = Effect.gen(function* () {
            const { asked, lacking } = yield* outlast(ask(begun.owner.id, begun.id, request))
            if (lacking.length > 0) yield* wait(asked, lacking, onWaiting)
          })
          yield* unlessGone(begun, waited)
          return yield* stillHeld(begun)
        }),
      ),
    acquireNow: (request) =>
      tried(
        Effect.gen(function* () {
          const begun = yield* patiently(begin)
          const now = Effect.gen(function* () {
            const { asked, lacking } = yield* ask(begun.owner.id, begun.id, request)
            return yield* withoutTheDead(asked, lacking)
          })
          const left = yield* unlessGone(begun, patiently(now))
          if (left.length > 0) return yield* new LeaseHeld(waitingOf(left))
          return yield* stillHeld(begun)
        }),
      ),
    holders: Effect.fnUntraced(function* (name) {
      const entries = yield* outlast(Effect.andThen(ready, rows.entries([name]))).pipe(Effect.mapError(unavailable))
      return entries.filter(({ held, owner }) => held && !isDead(owner)).map(({ holder }) => holder)
    }),
  })
})

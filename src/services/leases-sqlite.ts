import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import type { LockBusy, LockFailed } from "./file-lock.ts"
import * as Queue from "./lease-queue.ts"
import { type OwnedEntry, waitingOf } from "./lease-rows.ts"
import * as Store from "./lease-store.ts"
import {
  lasting,
  LeaseHeld,
  Leases,
  LeasesUnavailable,
  type LeaseRequest,
  type Waiting,
  waitingText,
} from "./leases.ts"
import { pause } from "./process-groups.ts"
import type { SchemaTooNew } from "./sql-migrations.ts"

type Lacking = ReadonlyArray<Queue.Lack<OwnedEntry>>

/** A request that has its ticket. */
interface Asked extends Queue.Place {
  readonly store: Store.LeaseStore
  readonly wants: ReadonlyArray<Queue.Want>
}

const ownersIn = (lacking: Lacking) =>
  lacking.flatMap(({ earlier, holders }) => [...holders, ...earlier].map(({ owner }) => owner))

/** What a request lacks now; its own entry must still be there. */
const lookUp = Effect.fnUntraced(function* ({ priority, store, ticket, wants }: Asked) {
  yield* store.sighted
  const entries = yield* store.rows.entries(wants.map(({ name }) => name))
  if (store.isReplaced() || !entries.some((entry) => entry.ticket === ticket)) return yield* Store.replaced(store.path)
  return Queue.lacks({ ticket, priority }, wants, entries)
})

/** Takes all that a request wants, if nothing is lacking. Nobody else can write between the look and the hold. */
const take = (asked: Asked) =>
  asked.store.transaction(
    Effect.gen(function* () {
      const lacking = yield* lookUp(asked)
      if (lacking.length === 0) yield* asked.store.rows.hold(asked.ticket)
      return lacking
    }),
  )

/** Waits at the place in the queue until all is held. Without the write lock as long as something lacks. */
const wait = Effect.fnUntraced(function* (asked: Asked, first: Lacking, onWaiting: (waiting: Waiting) => void) {
  const { store, ticket } = asked
  let said = ""
  for (let lacking = first; ;) {
    const waiting = waitingOf(lacking)
    const text = waitingText(waiting)
    if (text !== said) onWaiting(waiting)
    said = text
    yield* store.watch(ticket, ownersIn(lacking))
    for (;;) {
      const change = store.nextChange()
      lacking = yield* lookUp(asked)
      if (lacking.length === 0) lacking = yield* take(asked)
      if (lacking.length === 0) return
      if (waitingText(waitingOf(lacking)) !== said) break
      yield* change.await
    }
  }
})

/** Removes the dead from a request's way; what it lacks then. */
const withoutTheDead = Effect.fnUntraced(function* (asked: Asked, first: Lacking) {
  const tried = new Set<string>()
  for (let lacking = first; ;) {
    const dead = ownersIn(lacking).filter((owner) => !tried.has(owner.id) && asked.store.isDead(owner))
    if (dead.length === 0) return lacking
    for (const owner of dead) {
      tried.add(owner.id)
      yield* asked.store.reclaim(owner)
    }
    lacking = yield* take(asked)
    if (lacking.length === 0) return lacking
  }
})

/** How long a store that is locked is waited for without a word, and by those who do not want to wait, milliseconds. */
const wordMillis = 2_000
const patienceMillis = 10_000

const unavailable = (path: string) => (error: SqlError | SchemaTooNew | LockBusy | LockFailed) =>
  new LeasesUnavailable({ path, reason: error.message })

const make = Effect.fnUntraced(function* (home: string) {
  const scope = yield* Effect.scope
  const oneAtATime = Semaphore.makeUnsafe(1)
  const path = `${home}/state.db`
  let current: { readonly store: Store.LeaseStore; readonly scope: Scope.Closeable } | undefined

  const openStore = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    const store = yield* Store.open(home).pipe(
      Scope.provide(own),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(own, exit))),
    )
    return { store, scope: own }
  })

  /** The store, opened when it is first needed; and anew where it was removed while nothing of ours was in it. */
  const opened = oneAtATime.withPermit(
    Effect.gen(function* () {
      if (current?.store.isReplaced() === true) {
        if (current.store.tickets.size > 0) return yield* Store.replaced(path)
        const { scope: old } = current
        current = undefined
        yield* Scope.close(old, Exit.void)
      }
      current ??= yield* Effect.mapError(openStore, unavailable(path))
      return current.store
    }),
  )

  /** Processes whose leases are in a store that was removed: nobody here can know what they hold. */
  const strangers = Effect.fnUntraced(function* (store: Store.LeaseStore) {
    if (store.familiar) return undefined
    const pids = (yield* store.strangers).map(({ pid }) => pid)
    store.familiar = pids.length === 0
    const name = `process ${pids.join(", ")}, whose leases were lost when ${path} was removed`
    return store.familiar ? undefined : { name, holders: [], earlier: [] }
  })

  const awaitStrangers = Effect.fnUntraced(function* (store: Store.LeaseStore, onWaiting: (waiting: Waiting) => void) {
    for (let said = ""; ;) {
      const waiting = yield* strangers(store)
      if (waiting === undefined) return
      if (waiting.name !== said) onWaiting(waiting)
      said = waiting.name
      yield* pause(50)
    }
  })

  const lockedStore = { name: `${path}, which another program keeps locked`, holders: [], earlier: [] }
  /** Says what is waited for where the store lets nobody in. */
  const withWord = <A, E, R>(effect: Effect.Effect<A, E, R>, onWaiting: (waiting: Waiting) => void) =>
    Effect.raceFirst(
      effect,
      Effect.andThen(
        pause(wordMillis),
        Effect.andThen(
          Effect.sync(() => onWaiting(lockedStore)),
          Effect.never,
        ),
      ),
    )
  const withoutPatience = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.raceFirst(
      effect,
      Effect.andThen(
        pause(patienceMillis),
        new LeasesUnavailable({ path, reason: "another program keeps it locked; find it (fuser) and end it" }),
      ),
    )

  const release = ({ store, ticket }: Pick<Asked, "store" | "ticket">) =>
    Effect.suspend(() => {
      store.unwatch(ticket)
      return Effect.ensuring(
        store.remove(ticket),
        Effect.sync(() => store.tickets.delete(ticket)),
      )
    })

  /** Puts a request into the queue; it holds at once when nothing lacks. Gone with its scope. */
  const ask = Effect.fnUntraced(function* (store: Store.LeaseStore, request: LeaseRequest) {
    const wants = Queue.wantsOf(request)
    const { priority } = request
    const asking = store.transaction(
      Effect.gen(function* () {
        const entries = yield* store.rows.entries(wants.map(({ name }) => name))
        const ticket = yield* store.rows.ask(store.owner.id, request, wants)
        const lacking = Queue.lacks({ ticket, priority }, wants, entries)
        if (lacking.length === 0) yield* store.rows.hold(ticket)
        store.tickets.add(ticket)
        return { asked: { store, ticket, priority, wants } satisfies Asked, lacking }
      }),
    )
    return yield* Effect.acquireRelease(asking, ({ asked }) => release(asked))
  })

  const sqlErrors = <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>) =>
    Effect.mapError(effect, (error) =>
      typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError"
        ? unavailable(path)(error as SqlError)
        : (error as Exclude<E, SqlError>),
    )

  return Leases.of({
    acquire: Effect.fn("Leases.acquire")(function* (request, onWaiting) {
      const store = yield* withWord(opened, onWaiting)
      yield* awaitStrangers(store, onWaiting)
      const { asked, lacking } = yield* withWord(ask(store, request), onWaiting)
      if (lacking.length === 0) return lasting
      yield* wait(asked, lacking, onWaiting)
      store.unwatch(asked.ticket)
      return lasting
    }, sqlErrors),
    acquireNow: Effect.fn("Leases.acquireNow")(function* (request) {
      const store = yield* withoutPatience(opened)
      const unknown = yield* strangers(store)
      if (unknown !== undefined) return yield* new LeaseHeld(unknown)
      const { asked, lacking } = yield* withoutPatience(ask(store, request))
      const left = yield* withoutTheDead(asked, lacking)
      if (left.length === 0) return lasting
      yield* release(asked)
      return yield* new LeaseHeld(waitingOf(left))
    }, sqlErrors),
    holders: Effect.fn("Leases.holders")(function* (name) {
      const store = yield* opened
      const entries = yield* store.rows.entries([name])
      return entries.filter(({ held, owner }) => held && !store.isDead(owner)).map(({ holder }) => holder)
    }, sqlErrors),
  })
})

/**
 * Leases in `<home>/state.db`, which is opened when the first is asked for; owners' locks are in `<home>/owners`. The
 * store may be removed while nobody works. Where it is removed under a process that has leases, that process gets no
 * more of them, and others wait until it has ended.
 */
export const layer = (home: string): Layer.Layer<Leases> => Layer.effect(Leases, make(home))

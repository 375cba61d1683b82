import { existsSync } from "node:fs"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as LeaseOwner from "./lease-owner.ts"
import * as Queue from "./lease-queue.ts"
import * as Rows from "./lease-rows.ts"
import * as TermRows from "./lease-rows-postgres.ts"
import type { Waiting } from "./leases.ts"
import * as Sqlite from "./sqlite.ts"

/** How long somebody who only looks waits for the store, milliseconds. */
const patienceMillis = 1_000

type Waits = ReadonlyMap<string, Waiting>

const none: Waits = new Map()

/** What the tasks of a run wait for in a database that machines share; nothing where there is none. */
export const SharedWaits = Context.Reference<(run: string) => Effect.Effect<Waits>>("dandori/services/SharedWaits", {
  defaultValue: () => () => Effect.succeed(none),
})

/** What each request of a run lacks of what living owners hold, by task. */
const lackedBy = <E extends Rows.OwnedEntry>(
  own: ReadonlyArray<E>,
  entriesOf: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<E>, unknown>,
  isDead: (owner: E["owner"]) => boolean,
) =>
  Effect.gen(function* () {
    if (own.length === 0) return none
    const found = new Map<string, Waiting>()
    const entries = yield* entriesOf([...new Set(own.map(({ name }) => name))])
    const dead = new Set<string>()
    for (const [id, [{ owner }]] of Map.groupBy(entries, (entry) => entry.owner.id)) if (isDead(owner)) dead.add(id)
    const living = entries.filter(({ owner }) => !dead.has(owner.id))
    for (const wants of Map.groupBy(own, ({ ticket }) => ticket).values()) {
      const [{ holder, priority, ticket }] = wants
      const lacking = Queue.lacks({ ticket, priority }, wants, living)
      if (holder.task !== undefined && lacking.length > 0) found.set(holder.task, Rows.waitingOf(lacking))
    }
    return found
  })

const inState = (home: string, run: string): Effect.Effect<Waits> =>
  Effect.gen(function* () {
    const path = join(home, "state.db")
    if (!existsSync(path)) return none
    const rows = Rows.make(yield* Sqlite.open({ path, patienceMillis }))
    const isDead = (owner: LeaseOwner.Owner) => LeaseOwner.isDead(join(home, "owners"), owner)
    return yield* lackedBy(yield* rows.waitingOf(run), rows.entries, isDead)
  }).pipe(
    Effect.scoped,
    Effect.orElseSucceed(() => none),
  )

/** `SharedWaits` of a database, as the project of a home sees them. */
export const inDatabase =
  (sql: SqlClient, home: string) =>
  (run: string): Effect.Effect<Waits> =>
    Effect.gen(function* () {
      const rows = TermRows.make(sql)
      const isDead = (owner: TermRows.TermOwner) =>
        owner.expired || LeaseOwner.sightOf(LeaseOwner.sharedFolder(home), owner) === "dead"
      return yield* lackedBy(yield* rows.waitingOf(run), rows.entries, isDead)
    }).pipe(Effect.orElseSucceed(() => none))

/**
 * What the tasks of a run wait for because other attempts hold it, by task, as the state store of a home says, and the
 * database that it shares. For those who only look: it takes no part in the queue, and says nothing where they cannot be
 * read.
 */
export const ofRun = (home: string, run: string): Effect.Effect<Waits> =>
  Effect.gen(function* () {
    const shared = yield* SharedWaits
    return new Map([...(yield* inState(home, run)), ...(yield* shared(run))])
  })

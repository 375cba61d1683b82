import { existsSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as LeaseOwner from "./lease-owner.ts"
import * as Queue from "./lease-queue.ts"
import * as Rows from "./lease-rows.ts"
import type { Waiting } from "./leases.ts"
import * as Sqlite from "./sqlite.ts"

/** How long somebody who only looks waits for the store, milliseconds. */
const patienceMillis = 1_000

/**
 * What the tasks of a run wait for because other attempts hold it, by task, as the state store of a home says. For those
 * who only look: it takes no part in the queue, and says nothing where the store cannot be read.
 */
export const ofRun = (home: string, run: string): Effect.Effect<ReadonlyMap<string, Waiting>> =>
  Effect.gen(function* () {
    const found = new Map<string, Waiting>()
    const path = join(home, "state.db")
    if (!existsSync(path)) return found
    const rows = Rows.make(yield* Sqlite.open({ path, patienceMillis }))
    const own = Map.groupBy(yield* rows.waitingOf(run), ({ ticket }) => ticket)
    if (own.size === 0) return found
    const names = new Set([...own.values()].flatMap((wants) => wants.map(({ name }) => name)))
    const entries = yield* rows.entries([...names])
    const isDead = new Map<string, boolean>()
    for (const { owner } of entries) {
      if (!isDead.has(owner.id)) isDead.set(owner.id, LeaseOwner.isDead(join(home, "owners"), owner))
    }
    const living = entries.filter(({ owner }) => isDead.get(owner.id) !== true)
    for (const wants of own.values()) {
      const [{ holder, priority, ticket }] = wants
      const lacking = Queue.lacks({ ticket, priority }, wants, living)
      if (holder.task !== undefined && lacking.length > 0) found.set(holder.task, Rows.waitingOf(lacking))
    }
    return found
  }).pipe(
    Effect.scoped,
    Effect.orElseSucceed(() => new Map()),
  )

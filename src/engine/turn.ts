import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Capacity } from "../domain/event.ts"
import type { Concurrency } from "../domain/plan.ts"
import { Inbox } from "../services/inbox.ts"
import { Leases } from "../services/leases.ts"
import * as Room from "./room.ts"

/** Another run of the concurrency group goes on, and the pipeline does not want to wait. */
export class GroupBusy extends Schema.TaggedError<GroupBusy>()("GroupBusy", {
  group: Schema.String,
  limit: Schema.Int,
  runs: Schema.Array(Schema.String),
}) {
  override get message() {
    const runs = this.runs.slice(0, 3).join(", ")
    return `The concurrency group ${this.group} has its ${this.limit === 1 ? "run" : `${this.limit} runs`} already: ${runs}. Try again when it has ended`
  }
}

const requestOf = (run: string, { group, limit }: Concurrency, capacity: Capacity) => {
  const pool = `concurrency/${group}`
  return { run, resources: { pools: { [pool]: 1 } }, capacity: { ...capacity, pools: { [pool]: limit } }, priority: 0 }
}

/** The run lost its place in its concurrency group to the term of its process: another run may have it. */
export class TurnLost extends Schema.TaggedError<TurnLost>()("TurnLost", {
  run: Schema.String,
  group: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `Run ${this.run} lost its place in the concurrency group ${this.group}: ${this.reason}. It was stopped; when the database can be reached: dandori runs resume ${this.run}`
  }
}

/** Takes a place in the group at once, held until the scope closes; fails where there is none. */
export const takeNow = Effect.fnUntraced(function* (run: string, concurrency: Concurrency, capacity: Capacity) {
  const leases = yield* Leases
  const { group, limit } = concurrency
  return yield* leases
    .acquireNow(requestOf(run, concurrency, capacity))
    .pipe(
      Effect.catchTag("LeaseHeld", ({ earlier, holders }) =>
        Effect.fail(new GroupBusy({ group, limit, runs: [...holders, ...earlier].map((holder) => holder.run) })),
      ),
    )
})

/**
 * Takes a place in the group, held until the scope closes: at once, or by waiting for those before it. `onQueued` is told
 * of the runs that it waits for; with the policy `cancel-running` those are asked to be cancelled. Who waits leaves the room.
 */
export const take = Effect.fnUntraced(function* (
  run: string,
  concurrency: Concurrency,
  capacity: Capacity,
  onQueued: (behind: ReadonlyArray<string>) => void,
) {
  const leases = yield* Leases
  const inbox = yield* Inbox
  const { group, onConflict } = concurrency
  const reason = `run ${run} of the group ${group} takes its place`
  const ask = (other: string) =>
    inbox.put(other, { kind: "cancel", reason }).pipe(
      Effect.map((id) => [inbox.withdraw(other, id)]),
      Effect.orElseSucceed(() => []),
    )
  const queue = (runs: ReadonlyArray<string>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        onQueued(runs)
        yield* Room.leave
        const asked = yield* Effect.forEach(onConflict === "cancel-running" ? runs : [], ask)
        // A run that gives up its place needs nobody to make way.
        const takeBack = Effect.forEach(asked.flat(), (withdraw) => Effect.ignore(withdraw))
        return yield* restore(leases.acquire(requestOf(run, concurrency, capacity), () => {})).pipe(
          Effect.onInterrupt(() => takeBack),
        )
      }),
    )
  return yield* takeNow(run, concurrency, capacity).pipe(Effect.catchTag("GroupBusy", ({ runs }) => queue(runs)))
})

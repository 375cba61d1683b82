import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Catalog } from "../domain/catalog.ts"
import type { Event } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import { Attempt } from "../services/attempt.ts"
import { isFake } from "./fake.ts"
import type { Turns } from "./turns.ts"
import * as VirtualClock from "./virtual-clock.ts"

/** The task types that a test puts in place of others, by task id or by the type's name. */
export type Cast = Readonly<Record<string, AnyTaskType>>

/** A test replaces a task by something that cannot stand for it. */
export class CastInvalid extends Schema.TaggedError<CastInvalid>()("CastInvalid", {
  name: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `tasks.${this.name} of this test ${this.reason}`
  }
}

/** Fails for a replacement that no task of the plan would meet. */
export const check = Effect.fnUntraced(function* (plan: Plan, cast: Cast) {
  for (const [name, { type }] of Object.entries(cast)) {
    const task = plan.tasks.find(({ id }) => id === name)
    const wanted = task?.type ?? (plan.tasks.some((each) => each.type === name) ? name : undefined)
    if (wanted === undefined) {
      const names = [...new Set(plan.tasks.flatMap(({ id, type: used }) => [id, used]))].join(", ")
      return yield* new CastInvalid({
        name,
        reason: `is neither a task nor a task type of ${plan.id}, which has ${names}`,
      })
    }
    if (wanted !== type) {
      return yield* new CastInvalid({ name, reason: `stands for ${type}, but the task uses ${wanted}` })
    }
  }
})

/** The name under which an attempt holds the clock. */
export const keyOf = (task: string, attempt: number) => `${task}#${attempt}`

/**
 * Holds the clock by a run's events: from an attempt's intent to its result, so that what the engine does around a task
 * takes no virtual time; and from its end until the next run begins.
 */
export const onEvent = (clock: VirtualClock.VirtualClock, turns: Turns) => (event: Event) => {
  if (event.type === "dev.dandori.run.created.v1") return clock.release("end")
  if (event.type === "dev.dandori.run.finished.v1") return clock.hold("end")
  if (!event.type.startsWith("dev.dandori.attempt.")) return
  const { task, attempt } = event.data as { readonly task: string; readonly attempt: number }
  const key = keyOf(task, attempt)
  if (event.type === "dev.dandori.attempt.started.v1") {
    clock.hold(key)
    turns.started(key)
  } else {
    turns.ended(key)
    clock.release(key)
  }
}

/** Work that holds the clock as `key`, but not while it waits for the clock itself. */
export const asReal = <A, E>(clock: VirtualClock.VirtualClock, key: string, work: Effect.Effect<A, E>) => {
  let asleep = 0
  const fellAsleep = Effect.sync(() => {
    if (++asleep === 1) clock.release(key)
  })
  const wokeUp = Effect.sync(() => {
    if (--asleep === 0) clock.hold(key)
  })
  const own: Clock.Clock = {
    ...clock,
    sleep: (duration) =>
      Effect.acquireUseRelease(
        fellAsleep,
        () => clock.sleep(duration),
        () => wokeUp,
      ),
  }
  return Effect.provideService(work, Clock.Clock, own)
}

/** A fake holds the clock never: whatever it waits for, time goes on. */
const asFake = <A, E>(clock: VirtualClock.VirtualClock, key: string, work: Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => clock.release(key)),
    () => work,
    () => Effect.sync(() => clock.hold(key)),
  )

/** A catalog in which each attempt meets the type that the test's cast names for its task, else for its type. */
export const catalog = (
  real: Catalog["Service"],
  cast: Cast,
  clock: VirtualClock.VirtualClock,
  turns: Turns,
): Catalog["Service"] => {
  const byTask = (task: string, type: AnyTaskType) => cast[task] ?? cast[type.type] ?? type
  const play = (type: AnyTaskType): AnyTaskType => ({
    ...type,
    run: (input) =>
      Effect.gen(function* () {
        const { task, attempt } = yield* Attempt
        const key = keyOf(task, attempt)
        const player = byTask(task, type)
        const work = player.run(input) as Effect.Effect<unknown, unknown>
        yield* turns.enter(key)
        const exit = yield* Effect.exit((isFake(player) ? asFake : asReal)(clock, key, work))
        yield* turns.leave(key)
        return yield* exit
      }),
    ...(type.probe === undefined
      ? {}
      : {
          probe: (input) =>
            Effect.flatMap(Attempt, ({ task }) => {
              const { probe } = byTask(task, type)
              return probe === undefined ? new CastInvalid({ name: task, reason: "has no probe" }) : probe(input)
            }),
        }),
  })
  return Catalog.of({
    ...real,
    names: [...new Set([...real.names, ...Object.values(cast).map(({ type }) => type)])].toSorted(),
    load: (name) => {
      if (cast[name]?.type === name) return Effect.succeed(play(cast[name]))
      const own = Object.values(cast).find(({ type }) => type === name)
      return Effect.map(real.load(name), (type) => {
        const known = type ?? own
        return known === undefined ? undefined : play(known)
      })
    },
  })
}

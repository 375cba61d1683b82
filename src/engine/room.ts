import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** The room that a run takes among those that go on at once. To leave and to enter twice is the same as once. */
export interface Room {
  readonly leave: Effect.Effect<void>
  /** Waits until there is room. */
  readonly enter: Effect.Effect<void>
}

/** The room of the run that goes on here; undefined where any number may go on. */
export const Room = Context.Reference<Room | undefined>("dandori/engine/Room", { defaultValue: () => undefined })

/** How long a run keeps its room while nothing of it goes on, milliseconds. */
const moment = 1_000

/** Leaves the room, where there is one: who only waits keeps nobody from going on. */
export const leave = Effect.flatMap(Room, (room) => room?.leave ?? Effect.void)

/** Enters again; `must` comes when the run has to go on whether there is room or not. */
export const enter = (must: Effect.Effect<void>) =>
  Effect.flatMap(Room, (room) => (room === undefined ? Effect.void : Effect.raceFirst(room.enter, must)))

/**
 * Waits for news of a run: outside of the room, where nothing of it goes on for more than a moment. `isIdle` is asked now and
 * then: the last attempt may still be about to end.
 */
export const wait = Effect.fnUntraced(function* (
  news: Effect.Effect<void>,
  isIdle: () => boolean,
  must: Effect.Effect<void>,
) {
  if ((yield* Room) === undefined) return yield* news
  do if (Option.isSome(yield* Effect.timeoutOption(news, moment))) return
  while (!isIdle())
  yield* leave
  yield* news
  yield* enter(must)
})

import { lookup } from "node:dns/promises"
import * as Effect from "effect/Effect"

/** Whether a name stands for an address, as the machine looks names up; an address stands for itself. */
export const isKnown = (name: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    lookup(name).then(
      () => true,
      () => false,
    ),
  )

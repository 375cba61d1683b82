import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Hold } from "../domain/hold.ts"

/** The holds cannot be read or written. Whoever purges takes it that everything is held. */
export class HoldsUnavailable extends Schema.TaggedError<HoldsUnavailable>()("HoldsUnavailable", {
  reason: Schema.String,
  transient: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The holds cannot be read or written, which counts as everything held: ${this.reason}`
  }
}

/** There is no hold of this id. */
export class HoldUnknown extends Schema.TaggedError<HoldUnknown>()("HoldUnknown", { id: Schema.String }) {
  readonly notApplied = true
  override get message() {
    return `There is no hold ${this.id}; see dandori hold list --all`
  }
}

/** What is said of a hold that is added. */
export type NewHold = Pick<Hold, "id" | "subject" | "who" | "reason" | "until">

/** The holds of an environment, where its registry is: rows are added, released once, and never removed. */
export class Holds extends Context.Service<
  Holds,
  {
    /** All of them, those that are over too, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Hold>, HoldsUnavailable>
    /** Adds a hold; it holds when this returns. One with its id is left as it is. */
    readonly add: (hold: NewHold) => Effect.Effect<Hold, HoldsUnavailable>
    /** Releases a hold. One that was released before is left as it is. */
    readonly release: (
      id: string,
      by: { readonly who: string; readonly reason: string },
    ) => Effect.Effect<Hold, HoldsUnavailable | HoldUnknown>
  }
>()("dandori/services/Holds") {}

import * as Context from "effect/Context"
import * as Latch from "effect/Latch"

/**
 * Opened when the process is about to end in order: from then on a run begins nothing more. What goes on may end, and its
 * run stops with it, to be resumed by the next process where it has not ended.
 */
export const Drain = Context.Reference<Latch.Latch>("dandori/engine/Drain", {
  defaultValue: () => Latch.makeUnsafe(false),
})

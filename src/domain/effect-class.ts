import * as Schema from "effect/Schema"

/**
 * What a task type does to the world, and so what may happen after a crash between intent and result.
 * `pure` may be cached and run again; `idempotent` runs again with the same idempotency key; `once` is not
 * started again unless its probe says that nothing happened; `irreversible` as `once`, and has a dry run.
 */
export const EffectClass = Schema.Literals(["pure", "idempotent", "once", "irreversible"])
export type EffectClass = typeof EffectClass.Type

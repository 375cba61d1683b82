import type * as Schema from "effect/Schema"

/** A schema that needs no services to decode or encode. */
export type PlainSchema<A> = Schema.Codec<A, unknown>

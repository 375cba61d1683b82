import * as Context from "effect/Context"

/** Source of fresh ids; UUIDv7 by default. A simulation gives its own. */
export const Ids = Context.Reference<{ readonly uuid: () => string }>("dandori/services/Ids", {
  defaultValue: () => ({ uuid: () => Bun.randomUUIDv7() }),
})

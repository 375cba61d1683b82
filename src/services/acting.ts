import * as Context from "effect/Context"
import type { Actor } from "../domain/actor.ts"

/**
 * Who acts in this fiber, where it is not the one whom the ledger was opened for: over the API, the token's owner. What is
 * recorded in `root` and `system`, and what is asked of a run, is theirs.
 */
export const Acting = Context.Reference<Actor | undefined>("dandori/services/Acting", { defaultValue: () => undefined })

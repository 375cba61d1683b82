import * as Context from "effect/Context"
import type { Leases } from "../services/leases.ts"

/**
 * Leases by which one of the daemons of an environment leads. In a database their term is shorter than that of the leases
 * of runs: of a leader that is gone without a word, another one takes over when it is over.
 */
export class Leadership extends Context.Service<Leadership, Leases["Service"]>()("dandori/daemon/Leadership") {
  /** Milliseconds. The leader renews it six times as often, and stops when two thirds of it have passed without an answer. */
  static readonly termMillis = 9_000
}

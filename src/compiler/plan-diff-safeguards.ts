import { checkSafeguards } from "./safeguards-of-checks.ts"
import { configSafeguards } from "./safeguards-of-config.ts"
import { gateSafeguards } from "./safeguards-of-gates.ts"
import { releaseSafeguards } from "./safeguards-of-release.ts"
import { settingSafeguards } from "./safeguards-of-settings.ts"
import type { PlanSide } from "./plan-side.ts"
import type { Safeguard, Weakness } from "./safeguard.ts"

/** A safeguard that a change makes weaker: which rule says so, and why. */
export interface Weakening extends Weakness {
  readonly rule: string
  readonly why: string
}

/** Every rule about what must not become weaker unnoticed. */
export const safeguards: ReadonlyArray<Safeguard> = [
  ...settingSafeguards,
  ...gateSafeguards,
  ...checkSafeguards,
  ...releaseSafeguards,
  ...configSafeguards,
]

/** What a change makes weaker, rule by rule. */
export const weakenings = (old: PlanSide, next: PlanSide): ReadonlyArray<Weakening> =>
  safeguards.flatMap(({ find, name, why }) => find(old, next).map((found) => ({ rule: name, why, ...found })))

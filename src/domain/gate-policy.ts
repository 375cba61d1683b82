/** What a gate's verdict rests on, as one digest: gates name it in their receipts, and who relies on them demands it. */
import * as CanonicalJson from "./canonical-json.ts"
import type { GateResult } from "./gate.ts"
import type { Sha256 } from "./sha256.ts"

/** The sections of the configuration that decide a backtest's verdict: the thresholds, what trading costs, and what is traded. */
export const backtestSections = ["backtest_policy", "cost_table", "universe"] as const

/** The policy of a backtest: SHA-256 over the canonical JSON of the digests of its sections, by name. */
export const backtest = (digest: (section: (typeof backtestSections)[number]) => Sha256): GateResult["policy"] => ({
  name: "backtest",
  sha256: CanonicalJson.digest(Object.fromEntries(backtestSections.map((section) => [section, digest(section)]))),
})

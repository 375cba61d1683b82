import * as Result from "effect/Result"
import type { OpsFlags } from "../../domain/ops-flags.ts"
import type { Seen } from "../../services/signals.ts"
import { clean } from "./line.ts"

const pairs = (names: ReadonlyArray<string>) => (names.length === 0 ? "-" : names.map(clean).join(", "))

const changedText = ({ metadata }: OpsFlags): string => {
  if (metadata === undefined) return "-"
  const { reason = "no reason", source = "somebody", updated_at = "some time" } = metadata
  return clean(`${updated_at}, ${source}: ${reason}`)
}

/** The flags for people, a line for each. */
export const flagsText = (flags: OpsFlags): string =>
  [
    `  global_halt     ${flags.global_halt ? 1 : 0}`,
    `  halted_pairs    ${pairs(flags.halted_pairs)}`,
    `  flatten_pairs   ${pairs(flags.flatten_pairs)}`,
    `  leverage_scale  ${flags.leverage_scale}`,
    `  changed         ${changedText(flags)}`,
  ].join("\n")

/** Whether anything may act, and by what flags. */
export const seenText = ({ flags }: Pick<Seen, "flags">): string => {
  if (Result.isFailure(flags)) return `Halted: ${clean(flags.failure.message)}`
  return `${flags.success.global_halt ? "Halted: everything." : "Not halted."}\n${flagsText(flags.success)}`
}

/** The same as JSON: `halted` is true where the flags cannot be read. */
export const seenJson = ({ flags }: Pick<Seen, "flags">) =>
  Result.isFailure(flags)
    ? { halted: true, unreadable: flags.failure.message }
    : { halted: flags.success.global_halt, flags: flags.success }

import * as Schema from "effect/Schema"
import { Size, parseSize } from "../quantity.ts"

const atLeast = (least: string) =>
  Size.check(Schema.makeFilter((text) => bytesOf(text) >= bytesOf(least) || `must be ${least} or more`))

/**
 * How much tasks may leave behind: `output` is of one task as JSON, and one that is larger fails; `log` is what is kept of
 * the log of one attempt, which goes on when it is full.
 */
export const LimitsSection = Schema.Struct({ output: atLeast("1KiB"), log: atLeast("64KiB") })
export type LimitsSection = typeof LimitsSection.Type

/** Bytes of a limit. */
export const bytesOf = (limit: string): number => parseSize(limit) ?? 0

/** What a configuration without the section says. */
export const usual: LimitsSection = { output: "4MiB", log: "64MiB" }

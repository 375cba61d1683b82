import * as Schema from "effect/Schema"
import { Duration, parseDuration } from "../quantity.ts"

const millisOf = (text: string): number => parseDuration(text) ?? 0

const FlushInterval = Duration.check(
  Schema.makeFilter((text) => (millisOf(text) >= 1 && millisOf(text) <= 60_000) || "must be from 1ms to 1m"),
)

/** How the events of runs become durable (`durability.ts`). */
export const LedgerSection = Schema.Struct({
  durability: Schema.Literals(["fsync", "batched"]),
  flushInterval: FlushInterval,
})
export type LedgerSection = typeof LedgerSection.Type

/** What a configuration without the section says. */
export const usual: LedgerSection = { durability: "fsync", flushInterval: "1s" }

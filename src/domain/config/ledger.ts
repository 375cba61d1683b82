import * as Schema from "effect/Schema"
import { Duration, parseDuration } from "../quantity.ts"

const millisOf = (text: string): number => parseDuration(text) ?? 0

const FlushInterval = Duration.check(
  Schema.makeFilter((text) => (millisOf(text) >= 1 && millisOf(text) <= 60_000) || "must be from 1ms to 1m"),
)

/**
 * How events become durable. Intents, receipts, answers to people and the end of a run are waited for either way; all else
 * is flushed at once with `fsync`, and every `flushInterval` with `batched`.
 */
export const LedgerSection = Schema.Struct({
  durability: Schema.Literals(["fsync", "batched"]),
  flushInterval: FlushInterval,
})
export type LedgerSection = typeof LedgerSection.Type

/** What a configuration without the section says. */
export const usual: LedgerSection = { durability: "fsync", flushInterval: "1s" }

/** With `fsync`: time until a flush that nobody waits for, so that appends which come together share it. Milliseconds. */
export const promptMillis = 10

/** Longest time from an append to its flush when nobody waits for it, milliseconds. */
export const flushMillis = ({ durability, flushInterval }: LedgerSection): number =>
  durability === "fsync" ? promptMillis : millisOf(flushInterval)

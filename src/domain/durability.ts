import type { LedgerSection } from "./config/ledger.ts"
import { formatDuration, parseDuration } from "./quantity.ts"

/**
 * How a run's events become durable, as its first event says. Intents, receipts, answers to people and the end of the run
 * are waited for either way; all else is flushed at once with `fsync`, and every interval with `batched`.
 */
export interface Durability {
  readonly durability: "fsync" | "batched"
  /** With `batched`. */
  readonly flushIntervalMillis?: number
}

/** With `fsync`: time until a flush that nobody waits for, so that appends which come together share it. Milliseconds. */
export const promptMillis = 10

/** The interval of a ledger that was told none, milliseconds. */
export const usualMillis = 1_000

/** The durability that a configuration gives to a run. */
export const ofSection = ({ durability, flushInterval }: LedgerSection): Durability =>
  durability === "fsync"
    ? { durability }
    : { durability, flushIntervalMillis: parseDuration(flushInterval) ?? usualMillis }

/** Longest time from an append to its flush when nobody waits for it, milliseconds. */
export const flushMillis = ({ durability, flushIntervalMillis = usualMillis }: Durability): number =>
  durability === "fsync" ? promptMillis : flushIntervalMillis

/** How old an event may be that counts as recorded and that a crash of the machine loses, milliseconds. */
export const lossWindowMillis = (run: Durability): number => (run.durability === "fsync" ? 0 : flushMillis(run))

/** What a crash may lose, in one line. */
export const text = (run: Durability): string =>
  run.durability === "fsync"
    ? "fsync: nothing that was acknowledged can be lost"
    : `batched: if this machine crashes, at most what was recorded in its last ${formatDuration(lossWindowMillis(run))} is lost; intents never are`

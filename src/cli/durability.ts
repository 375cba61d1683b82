import { type LedgerSection, flushMillis } from "../domain/config/ledger.ts"
import { formatDuration } from "../domain/quantity.ts"

/** How a run's events become durable, as its first event says. */
export interface Durability {
  readonly durability: "fsync" | "batched"
  readonly flushIntervalMillis?: number
}

/** The durability that a configuration gives to a run. */
export const ofConfiguration = (section: LedgerSection): Durability =>
  section.durability === "fsync"
    ? { durability: "fsync" }
    : { durability: "batched", flushIntervalMillis: flushMillis(section) }

/** Of what age an acknowledged event is at most that a crash of the machine loses, milliseconds. */
export const lossWindowMillis = ({ durability, flushIntervalMillis = 1_000 }: Durability): number =>
  durability === "fsync" ? 0 : flushIntervalMillis

/** What a crash may lose, in one line. */
export const text = (run: Durability): string =>
  run.durability === "fsync"
    ? "fsync: nothing that was acknowledged can be lost"
    : `batched: if this machine crashes, at most what was recorded in its last ${formatDuration(lossWindowMillis(run))} is lost; intents never are`

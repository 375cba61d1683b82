import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Duration, parseDuration } from "../quantity.ts"

const millisOf = (text: string): number => parseDuration(text) ?? 0

const FlushInterval = Duration.check(
  Schema.makeFilter((text) => (millisOf(text) >= 1 && millisOf(text) <= 60_000) || "must be from 1ms to 1m"),
)

/**
 * Where the ledger is: segment files of the project, or the database of the section `database`, for several machines, which
 * then share pools, locks and concurrency groups there; and how the events of runs become durable (`durability.ts`).
 */
export const LedgerSection = Schema.Struct({
  store: Schema.Literals(["files", "postgres"]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("files" as const))),
  durability: Schema.Literals(["fsync", "batched"]),
  flushInterval: FlushInterval,
})
export type LedgerSection = typeof LedgerSection.Type

/** What a configuration without the section says. */
export const usual: LedgerSection = { store: "files", durability: "fsync", flushInterval: "1s" }

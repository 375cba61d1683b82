import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monthsBefore } from "../domain/model-retention.ts"
import * as Durable from "./durable-files.ts"
import { ModelRegistry, type RegistryUnavailable } from "./model-registry.ts"
import * as Outbox from "./notification-outbox.ts"
import { Settings } from "./settings.ts"
import { Workspace } from "./workspace.ts"

const dayMillis = 86_400_000

/** When it was swept last, milliseconds since the epoch; 0 where it never was, or nobody can tell. */
const lastSwept = (marker: string) =>
  Durable.attempt("read", marker, () => Fs.readFile(marker, "utf8")).pipe(
    Effect.map((text) => Number(text) || 0),
    Effect.orElseSucceed(() => 0),
  )

/**
 * Once a day, removes what the outbox of notifications and that of the registry have kept too long: what was delivered or
 * acknowledged after `logs_days`, the registry's signals after `signals_months`, what was refused and acknowledged by nobody
 * after `audit_years`. What waits for its delivery stays, however old. Answers with how many entries and messages went.
 */
export const sweep: Effect.Effect<
  number,
  Durable.FileFailed | RegistryUnavailable,
  ModelRegistry | Settings | Workspace
> = Effect.gen(function* () {
  const { home } = yield* Workspace
  const { audit_years, logs_days, signals_months } = (yield* Settings).sections.retention
  const now = yield* Clock.currentTimeMillis
  const marker = join(home, "outbox", "swept")
  const last = yield* lastSwept(marker)
  if (now >= last && now - last < dayMillis) return 0
  const outbox = yield* Outbox.open(join(home, "outbox"))
  const deliveredBefore = now - logs_days * dayMillis
  const files = yield* outbox.sweep({ deliveredBefore, refusedBefore: monthsBefore(now, 12 * audit_years) })
  const before = { signals: monthsBefore(now, signals_months), others: deliveredBefore }
  const messages = yield* (yield* ModelRegistry).sweepOutbox(before)
  yield* Durable.writeFileDurably(marker, String(now))
  return files + messages
}).pipe(Effect.withSpan("OutboxSweep.sweep"))

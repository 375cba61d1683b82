import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { EnvironmentName } from "../domain/names.ts"
import * as Outbox from "../services/notification-outbox.ts"
import { routeText } from "../services/notification-route.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import { plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { who } from "./who.ts"

const isEnvironment = Schema.is(EnvironmentName)
const none: ReadonlyArray<Outbox.Entry> = []

/** The refused entries of the project; looking makes no outbox. */
const refused = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const root = join(home, "outbox")
  if (!(yield* fs.exists(join(root, "refused")).pipe(Effect.orElseSucceed(() => false)))) return none
  return yield* (yield* Outbox.open(root)).refused
})

const reasons = ({ refused = [], routes }: Outbox.Entry) =>
  refused.map(({ reason, route }) => ({ route: routeText(routes[route]), reason }))

/** Lists what was refused and acknowledged by nobody. */
export const listRefused = Effect.gen(function* () {
  const { flags, home } = yield* Readers.find
  const entries = yield* refused(home)
  if (flags.json) {
    return yield* Effect.forEach(
      entries,
      (entry) => {
        const { created, env, id, message } = entry
        const time = new Date(created).toISOString()
        return Output.json({
          v: 1,
          kind: "notification",
          id,
          time,
          env: env ?? null,
          ...message,
          refused: reasons(entry),
        })
      },
      { discard: true },
    )
  }
  if (entries.length === 0) {
    return yield* flags.quiet ? Effect.void : Output.message("Every notification has reached somebody.")
  }
  if (flags.quiet) return yield* Output.data(entries.map(({ id }) => id).join("\n"))
  const rows = entries.flatMap((entry) =>
    reasons(entry).map(({ reason, route }) => [
      entry.id,
      new Date(entry.created).toISOString(),
      entry.message.severity,
      route,
      plain(entry.message.title),
      plain(reason),
    ]),
  )
  yield* Output.data(table([["notification", "time", "severity", "route", "title", "why"], ...rows]).join("\n"))
})

/** Records that somebody has looked at a refused notification, then lists it no more. */
export const acknowledge = Effect.fnUntraced(function* (id: string, reason: string) {
  const place = yield* Readers.find
  const { env, flags, home } = place
  if (!isEnvironment(env)) {
    return yield* new Output.UsageError({ reason: `There is no environment ${env}; they are dev, stg and prod` })
  }
  if (!(yield* refused(home)).some((entry) => entry.id === id)) {
    const what = `No refused notification ${plain(id)} waits for anybody`
    return yield* new Missing({ what, next: `See which do: ${(yield* Hint.here).files("notification list")}` })
  }
  const { Ledger } = yield* Effect.promise(() => import("../ledger/ledger.ts"))
  const data = { notification: id, env, reason }
  yield* Effect.flatMap(Ledger, (ledger) =>
    ledger.record("system", [{ type: "dev.dandori.notification.acknowledged.v1", data }]),
  ).pipe(Effect.provide(Readers.ledger(place)))
  yield* (yield* Outbox.open(join(home, "outbox"))).acknowledge(id)
  if (flags.json) return yield* Output.json({ v: 1, kind: "acknowledged", id, by: who(), reason })
  yield* Output.data(`${id} is acknowledged by ${who()}.`)
})

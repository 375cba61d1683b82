import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { RegistryRows } from "./model-registry-rows.ts"
import { type RegistryCopy, RegistryNotEmpty } from "./model-registry.ts"

/** The outbox is emptied by whoever delivers: it is no part of what is compared. */
const digestOf = (copy: RegistryCopy) => CanonicalJson.digest({ ...copy, messages: [] })

/** Reads all rows of a registry, and puts them into an empty one; both in the transaction that they are called in. */
export const make = (sql: SqlClient, rows: RegistryRows) => {
  const everything = sql`1 = 1`
  const read = Effect.gen(function* () {
    const messages = yield* rows.pending(Number.MAX_SAFE_INTEGER)
    const copy: RegistryCopy = {
      models: (yield* rows.models(everything)).toReversed(),
      events: yield* rows.events(everything),
      moves: yield* rows.moves(everything),
      files: yield* rows.files(everything),
      holds: yield* rows.holds(everything),
      messages: messages.map(({ created, kind, payload }) => ({ created, kind, payload })),
    }
    return copy
  })
  const load = Effect.fnUntraced(function* (copy: RegistryCopy) {
    const there = yield* read
    if (there.models.length + there.events.length + there.holds.length > 0) {
      if (digestOf(there) === digestOf(copy)) return
      return yield* new RegistryNotEmpty({ versions: there.models.length })
    }
    for (const model of copy.models) yield* rows.addModel(model)
    for (const event of copy.events) yield* rows.addEvent(event)
    for (const move of copy.moves) yield* rows.addMove(move)
    for (const event of copy.files) yield* rows.addFiles(event)
    for (const hold of copy.holds) yield* rows.addHold(hold)
    for (const message of copy.messages) yield* rows.addMessage(message)
  })
  return { read, load }
}

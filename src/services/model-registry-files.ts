import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { Hold } from "../domain/hold.ts"
import * as Registry from "../domain/registry.ts"
import * as Durable from "./durable-files.ts"
import type { RegistryCopy } from "./model-registry.ts"

/** A file of a registry's copy does not hold what such a file holds. */
export class RegistryFileDamaged extends Schema.TaggedError<RegistryFileDamaged>()("RegistryFileDamaged", {
  path: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `${this.path} is no table of a registry: ${this.reason}`
  }
}

const message = Schema.Struct({ ...Registry.OutboxMessage.fields, created: Schema.String })
const rowsOf = <S extends Schema.Constraint>(row: S) =>
  Schema.decodeUnknownEffect(Schema.Array(Schema.fromJsonString(row)))

/** The tables' names, which their files have too: NDJSON, a row a line in canonical JSON, oldest first. */
const names = {
  models: "model_registry.ndjson",
  events: "model_registry_events.ndjson",
  moves: "alias_history.ndjson",
  files: "model_files_events.ndjson",
  holds: "holds.ndjson",
  messages: "outbox.ndjson",
} as const

/** Writes a copy into an existing folder. The same registry gives the same bytes, whichever database it is in. */
export const write = (folder: string, copy: RegistryCopy): Effect.Effect<void, Durable.FileFailed> =>
  Effect.forEach(
    Object.entries(names),
    ([table, file]) => {
      const rows: ReadonlyArray<unknown> = copy[table as keyof typeof names]
      const lines = rows.map((row) => `${CanonicalJson.encode(row)}\n`)
      return Durable.writeFileDurably(join(folder, file), new TextEncoder().encode(lines.join("")))
    },
    { discard: true },
  )

const linesOf = (path: string) =>
  Effect.map(
    Durable.attempt("read", path, () => Fs.readFile(path, "utf8")),
    (text) => text.split("\n").filter((line) => line !== ""),
  )

/** Reads what `write` wrote. */
export const read = (folder: string): Effect.Effect<RegistryCopy, Durable.FileFailed | RegistryFileDamaged> => {
  const table = <A>(file: string, decode: (lines: unknown) => Effect.Effect<A, Schema.SchemaError>) => {
    const path = join(folder, file)
    return Effect.flatMap(linesOf(path), (lines) =>
      Effect.mapError(decode(lines), (error) => new RegistryFileDamaged({ path, reason: error.message })),
    )
  }
  return Effect.all({
    models: table(names.models, rowsOf(Registry.ModelRow)),
    events: table(names.events, rowsOf(Registry.RegistryEvent)),
    moves: table(names.moves, rowsOf(Registry.AliasMove)),
    files: table(names.files, rowsOf(Registry.FilesEvent)),
    holds: table(names.holds, rowsOf(Hold)),
    messages: table(names.messages, rowsOf(message)),
  })
}

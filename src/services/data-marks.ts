import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Mark } from "../domain/data-retention.ts"
import * as Durable from "./durable-files.ts"

const File = Schema.fromJsonString(
  Schema.Struct({
    due: Schema.Array(Schema.Struct({ path: Schema.String, digest: Schema.String, since: Schema.Finite })),
  }),
)
const decode = Schema.decodeUnknownOption(File)
const encode = Schema.encodeSync(File)

const pathIn = (home: string) => join(home, "retention", "due.json")

/** What data was found due, and since when, by its path. Where the file is missing or damaged there are no marks. */
export const read = (home: string): Effect.Effect<ReadonlyMap<string, Mark>> =>
  Durable.attempt("read", pathIn(home), () => Fs.readFile(pathIn(home), "utf8")).pipe(
    Effect.map((text) => Option.getOrElse(decode(text), () => ({ due: [] })).due),
    Effect.orElseSucceed(() => []),
    Effect.map((due) => new Map(due.map(({ path, ...mark }) => [path, mark]))),
  )

/** Writes which data is due, in place of what was written before; durable on return. */
export const write = (home: string, marks: ReadonlyMap<string, Mark>): Effect.Effect<void, Durable.FileFailed> =>
  Effect.andThen(
    Durable.makeFolderDurably(dirname(pathIn(home))),
    Durable.writeFileDurably(pathIn(home), encode({ due: [...marks].map(([path, mark]) => ({ path, ...mark })) })),
  )

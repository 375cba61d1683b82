import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Recovered, type RecoveredStart } from "../../../domain/recovered.ts"
import { bootId } from "../../process-records.ts"
import { type IncidentFolder, readDocument, writeDocument } from "../incident/incidents.ts"
import * as Facts from "../stop/process-facts.ts"
import type { Member } from "../stop/process-pack.ts"

const fileName = "recovered.json"
const encode = Schema.encodeSync(Recovered)

/** What was written of an incident's recovery; None where nothing was. */
export const read = ({ path }: Pick<IncidentFolder, "path">): Effect.Effect<Option.Option<Recovered>> =>
  readDocument(path, fileName, Recovered)

/** The process of a start, where it lives. */
export const processOf = ({ boot, name, pid, started }: RecoveredStart): Option.Option<Member> => {
  if (pid === undefined || started === undefined || boot !== bootId()) return Option.none()
  return Option.map(Option.fromUndefinedOr(Facts.living({ pid, started })), (row) => ({
    row,
    why: `was brought up as ${name}`,
  }))
}

/** What an incident has brought up, and what lives of it. */
export const living = (folder: IncidentFolder): Effect.Effect<ReadonlyArray<Member>> =>
  Effect.map(read(folder), (written) =>
    Option.match(written, {
      onNone: () => [],
      onSome: ({ starts }) => starts.flatMap((start) => Option.toArray(processOf(start))),
    }),
  )

/** `recovered.json` while it is written. */
export const open = Effect.fnUntraced(function* (folder: IncidentFolder, by: string) {
  const before = Option.getOrUndefined(yield* read(folder))
  let book: Recovered = {
    format: "dandori-recovered/1",
    by,
    drill: folder.incident.drill,
    done: false,
    starts: before?.starts ?? [],
  }
  const save = Effect.suspend(() => writeDocument(folder.path, fileName, encode(book)))
  return {
    now: () => book,
    /** Adds a start that is about to be made; durable on return. */
    begin: (start: RecoveredStart) => {
      const at = book.starts.length
      book = { ...book, starts: [...book.starts, start] }
      return Effect.as(save, at)
    },
    /** Adds what is known of a start now; durable on return. */
    learn: (at: number, facts: Partial<RecoveredStart>) => {
      book = { ...book, starts: book.starts.with(at, { ...book.starts[at], ...facts }) }
      return save
    },
    finish: Effect.suspend(() => {
      book = { ...book, done: true }
      return Effect.as(save, book)
    }),
  }
})

/** `recovered.json` of one call. */
export type Book = Effect.Success<ReturnType<typeof open>>

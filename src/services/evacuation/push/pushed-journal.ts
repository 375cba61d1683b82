import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { Pushed } from "../../../domain/pushed.ts"
import { addLines, readLines } from "../incident/incidents.ts"

const fileName = "pushed.ndjson"
const everyMillis = 200

/** What a destination confirmed, by place in the bundle. */
export const placeOf = ({ path, to }: Pick<Pushed, "path" | "to">): string => `${to}/${path}`

/** What one rung confirmed so far, by place in the bundle; the last line of a place counts. */
export const readOf = (folder: string, rung: string) =>
  Effect.map(
    readLines(folder, fileName, Pushed),
    (lines) => new Map(lines.filter((line) => line.rung === rung).map((line) => [placeOf(line), line])),
  )

/** The list of what was confirmed, as it grows. */
export interface Journal {
  /** Takes a line; it is durable a little later, with others. */
  readonly add: (line: Pushed) => void
  /** All lines until now are durable on return; else those that are not, and why. They are tried again with the next flush. */
  readonly flush: Effect.Effect<{ readonly lines: ReadonlyArray<Pushed>; readonly reason: string } | undefined>
}

/** Opens the list for the scope, which flushes it now and then. Where the disk takes nothing, lines wait. */
export const open = Effect.fnUntraced(function* (folder: string) {
  let waiting: Array<Pushed> = []
  const flush = Semaphore.makeUnsafe(1).withPermit(
    Effect.suspend(() => {
      const lines = waiting
      waiting = []
      return addLines(folder, fileName, lines).pipe(
        Effect.match({
          onSuccess: () => undefined,
          onFailure: ({ message: reason }) => {
            waiting = [...lines, ...waiting]
            return { lines: waiting, reason }
          },
        }),
      )
    }),
  )
  yield* Effect.forkScoped(Effect.repeat(flush, Schedule.spaced(everyMillis)))
  yield* Effect.addFinalizer(() => flush)
  const journal: Journal = {
    add: (line) => void waiting.push(line),
    flush: Effect.uninterruptible(flush),
  }
  return journal
})

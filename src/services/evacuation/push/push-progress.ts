import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Progress } from "../../progress.ts"
import { type IncidentFolder, writeDocument } from "../incident/incidents.ts"
import type { Destination } from "../destination/destination.ts"
import type { Item } from "./push-items.ts"
import type { OpenReading } from "../sources/reading.ts"

const fileName = "bundles/progress.json"
const everyMillis = 500
const mostShown = 3

/** How far pushing is. */
export interface PushProgress {
  /** A reader whose bytes count. */
  readonly counted: (item: Item, open: OpenReading) => OpenReading
  readonly began: (item: Item) => void
  readonly ended: (item: Item, isTaken: boolean, bytes: number, sent: number) => void
}

/**
 * Tells while the scope is open how far pushing is: live, and in `bundles/progress.json` for those who look at the
 * incident's folder: objects and bytes done and in all, bytes sent, what is not taken, and what is being taken.
 */
export const open = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  destination: Destination,
  items: ReadonlyArray<Item>,
) {
  const progress = yield* Progress
  const began = yield* Clock.currentTimeMillis
  const total = items.reduce((sum, { file }) => sum + file.bytes, 0)
  const reading = new Map<Item, number>()
  const counts = { objects: 0, bytes: 0, sent: 0, notTaken: 0 }

  const tell = Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    const partly = [...reading.values()].reduce((sum, bytes) => sum + bytes, 0)
    const done = Math.min(counts.bytes + partly, Math.max(total, counts.bytes))
    const ended = counts.objects + counts.notTaken
    const now = [...reading.keys()].slice(0, mostShown).map(({ file }) => file.path)
    const note = `${ended} of ${items.length} to ${destination.location}${now.length === 0 ? "" : `: ${now[0]}`}`
    yield* progress.report({ done, total: Math.max(total, done), unit: "B", note })
    const document = {
      format: "dandori-progress/1",
      rung: destination.name,
      location: destination.location,
      objects: { done: counts.objects, total: items.length },
      bytes: { done, total: Math.max(total, done) },
      sent: counts.sent,
      notTaken: counts.notTaken,
      now,
      began,
      at,
    }
    yield* Effect.ignore(writeDocument(folder.path, fileName, document))
  })
  yield* Effect.addFinalizer(() => tell)
  yield* Effect.forkScoped(Effect.repeat(tell, Schedule.spaced(everyMillis)))

  const told: PushProgress = {
    counted: (item, openReading) => (file, pieceBytes) =>
      Effect.map(openReading(file, pieceBytes), (source) => {
        reading.set(item, 0)
        const next = Effect.tap(source.next, (piece) =>
          Effect.sync(() => reading.set(item, (reading.get(item) ?? 0) + (piece?.bytes.length ?? 0))),
        )
        return { ...source, next }
      }),
    began: (item) => void reading.set(item, 0),
    ended: (item, isTaken, bytes, sent) => {
      reading.delete(item)
      counts.sent += sent
      if (!isTaken) counts.notTaken++
      else {
        counts.objects++
        counts.bytes += bytes
      }
    },
  }
  return told
})

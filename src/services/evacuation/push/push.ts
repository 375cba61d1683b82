import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CanonicalJson from "../../../domain/canonical-json.ts"
import type { RungRefusal } from "../../../domain/chosen-rung.ts"
import { NotTaken } from "../../../domain/collected.ts"
import type { Pushed } from "../../../domain/pushed.ts"
import * as Durable from "../../durable-files.ts"
import { Settings } from "../../settings.ts"
import { type IncidentFolder, readLines } from "../incident/incidents.ts"
import * as Ladder from "../destination/ladder.ts"
import * as Memory from "./memory.ts"
import * as PushDeadline from "./push-deadline.ts"
import * as Items from "./push-items.ts"
import * as PushOne from "./push-one.ts"
import * as PushProgress from "./push-progress.ts"
import * as Journal from "./pushed-journal.ts"
import type { OpenReading } from "../sources/reading.ts"
import * as Seal from "../incident/seal.ts"
import * as Unwaited from "../destination/unwaited.ts"

/** What an evacuation pushed, by its journal. Sizes in bytes; `firstByteMillis` is from the call to the first confirmation. */
export interface PushResult {
  readonly rung: string
  readonly location: string
  readonly away: boolean
  /** What is there now of what was to be pushed, from this call or an earlier one. */
  readonly objects: number
  readonly bytes: number
  /** What went over the wire in this call. */
  readonly sent: number
  readonly notTaken: number
  readonly firstByteMillis?: number
  readonly complete: boolean
  readonly refusals: ReadonlyArray<RungRefusal>
}

const notTakenName = "not-taken.ndjson"
const pollMillis = 100

const notTakenOf = ({ file }: Items.Item, reason: string): NotTaken => ({
  collector: file.collector,
  source: file.source,
  reason,
  bytes: file.bytes,
})

/** Replaces what an earlier push did not take in the list, which has what collectors did not take as well. */
const listNotTaken = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  items: ReadonlyArray<Items.Item>,
  notTaken: ReadonlyArray<NotTaken>,
) {
  const nameOf = ({ collector, source }: Pick<NotTaken, "collector" | "source">) => `${collector}\0${source}`
  const ours = new Set(items.map(({ file }) => nameOf(file)))
  const before = yield* readLines(folder.path, notTakenName, NotTaken)
  const others = before.filter((line) => !ours.has(nameOf(line)))
  if (others.length === before.length && notTaken.length === 0) return
  const text = [...others, ...notTaken].map((line) => `${CanonicalJson.encode(line)}\n`).join("")
  yield* Durable.writeFileDurably(join(folder.path, notTakenName), text)
})

/** Completes when there is no time left for pushing. */
const untilLate = Effect.fnUntraced(function* (deadline: PushDeadline.PushDeadline) {
  const late = Deferred.makeUnsafe<void>()
  const watch = Effect.gen(function* () {
    for (;;) {
      const left = yield* deadline.left
      if (left === undefined) return
      if (left <= 0) return yield* Deferred.succeed(late, undefined)
      yield* Effect.sleep(Math.min(left, pollMillis))
    }
  })
  yield* Effect.forkScoped(watch, { startImmediately: true })
  return late
})

/** Pushes what there is to one destination. Fails with `RungBroken` when it takes nothing more. */
const pushTo = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  items: ReadonlyArray<Items.Item>,
  { destination }: Ladder.Chosen,
  open: OpenReading,
) {
  const { parallel } = (yield* Settings).sections.evacuation
  const { began, deadline } = folder.call
  const confirmed = yield* Journal.readOf(folder.path, destination.name)
  const journal = yield* Journal.open(folder.path)
  const progress = yield* PushProgress.open(folder, destination, items)
  const { readsBack = false } = destination
  const time = PushDeadline.make({ began, deadline, parallel, readsBack, objects: confirmed.size })
  const late = yield* untilLate(time)
  const isSealed = yield* Seal.isSet(folder, destination)
  const isHealthy = PushOne.health(destination, folder.incident.id)
  const before = ({ file }: Items.Item) => confirmed.get(Journal.placeOf(file))
  const tidy = Memory.tidyNowAndThen()
  const lines: Array<Pushed> = []
  const notTaken: Array<NotTaken> = []
  let sent = 0
  let firstByte: number | undefined

  const one = Effect.fnUntraced(function* (item: Items.Item) {
    if (Deferred.isDoneUnsafe(late)) {
      notTaken.push(notTakenOf(item, "deadline"))
      return progress.ended(item, false, 0, 0)
    }
    const start = yield* Clock.currentTimeMillis
    progress.began(item)
    const counted = Memory.tidying(tidy, progress.counted(item, open))
    const pushing = PushOne.push({ destination, open: counted, isHealthy, before, isSealed }, item)
    const outcome = yield* Unwaited.until(pushing, Deferred.await(late))
    const ended = Option.getOrElse(outcome, (): PushOne.Outcome => ({ kind: "notTaken", reason: "deadline" }))
    if (ended.kind === "notTaken") {
      notTaken.push(notTakenOf(item, ended.reason))
      return progress.ended(item, false, 0, 0)
    }
    const { isNew, line } = ended
    lines.push(line)
    sent += ended.sent
    progress.ended(item, true, line.bytes, ended.sent)
    if (!isNew) return
    journal.add(line)
    const end = yield* Clock.currentTimeMillis
    firstByte ??= end
    time.took(end - start, line.bytes)
  })
  const broken = yield* Effect.forEach(items, one, { concurrency: parallel, discard: true }).pipe(
    Effect.as(undefined),
    Effect.catchTag("RungBroken", Effect.succeed),
  )
  const unwritten = yield* journal.flush
  const lost = new Set(unwritten?.lines.map(Journal.placeOf) ?? [])
  for (const item of items) {
    if (lost.has(Journal.placeOf(item.file)))
      notTaken.push(notTakenOf(item, `sent, but it could not be noted: ${unwritten?.reason}`))
  }
  return { broken, lines: lines.filter((line) => !lost.has(Journal.placeOf(line))), notTaken, sent, firstByte }
}, Effect.scoped)

/**
 * Pushes the captures' tars and the inventory, the most valuable first, to the rung of the ladder that takes it; where that
 * breaks for good, to the next one from the beginning. What a destination confirmed is noted in `pushed.ndjson` and not
 * sent again by a later call; what is not taken is listed in `not-taken.ndjson`. Sources are read by `open`.
 */
export const push = Effect.fn("Push.push")(function* ({
  folder,
  open,
}: {
  readonly folder: IncidentFolder
  readonly open: OpenReading
}) {
  const items = yield* Items.of(folder)
  let chosen = yield* Ladder.choose(folder)
  let sent = 0
  for (;;) {
    const did = yield* pushTo(folder, items, chosen, open)
    sent += did.sent
    if (did.broken !== undefined) {
      chosen = yield* Ladder.after(folder, chosen, did.broken)
      continue
    }
    // Where the disk takes no list, what was pushed is still worth its manifest, and the answer has the number.
    yield* Effect.ignore(listNotTaken(folder, items, did.notTaken))
    const { away, location, name: rung } = chosen.destination
    return {
      rung,
      location,
      away,
      objects: did.lines.length,
      bytes: did.lines.reduce((sum, { bytes }) => sum + bytes, 0),
      sent,
      notTaken: did.notTaken.length,
      ...(did.firstByte === undefined ? {} : { firstByteMillis: did.firstByte - folder.call.began }),
      complete: did.notTaken.length === 0,
      refusals: chosen.refusals,
    } satisfies PushResult as PushResult
  }
})

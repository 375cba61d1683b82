import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ChosenRung, RungRefusal } from "../../../domain/chosen-rung.ts"
import { stampOf } from "../../../domain/incident.ts"
import type { Destination } from "./destination.ts"
import { DestinationFailed } from "./destination.ts"
import { type IncidentFolder, readDocument, writeDocument } from "../incident/incidents.ts"
import type * as RungList from "./rung-list.ts"
import * as Rungs from "./rungs.ts"
import * as Unwaited from "./unwaited.ts"

/** No rung of the ladder takes anything. */
export class LadderExhausted extends Schema.TaggedError<LadderExhausted>()("LadderExhausted", {
  refusals: Schema.Array(RungRefusal),
}) {
  override get message() {
    const tried = this.refusals.map(({ reason, rung }) => `\n  ${rung}: ${reason}`).join("")
    return `No destination takes what is to be evacuated; name one that does (--destination s3://bucket/prefix or a folder):${tried}`
  }
}

/** A destination that took what it was tried with, and those before it that did not. */
export interface Chosen {
  readonly destination: Destination
  readonly refusals: ReadonlyArray<RungRefusal>
}

const fileName = "rung.json"
/** How long a rung may take to be tried, at most. */
const patienceMillis = 20_000
/** What a rung that answers needs on a busy machine: half of what is left may go for it; and what one is given past the deadline. */
const leastMillis = { usual: 2000, late: 300 }

const readChosen = ({ path }: IncidentFolder) =>
  Effect.map(readDocument(path, fileName, ChosenRung), Option.getOrUndefined)

/** A small object that is new with each call. */
const probeOf = ({ call, incident }: IncidentFolder) => {
  const key = `probe/${incident.id}-${stampOf(call.began)}`
  const text = `Dandori tried with this object whether the evacuation ${incident.id} can be stored here. It may be removed.\n`
  return { key, bytes: new TextEncoder().encode(text) }
}

/** Opens a rung and tries it. */
const attempt = Effect.fnUntraced(function* (folder: IncidentFolder, rung: Rungs.Openable) {
  const { deadline } = folder.call
  const left = deadline === undefined ? Infinity : deadline - (yield* Clock.currentTimeMillis)
  // The last resort is on this machine, and has to be chosen even when it is late.
  const least = rung.away ? Math.max(leastMillis.late, Math.min(leastMillis.usual, left / 2)) : leastMillis.usual
  const millis = Math.min(patienceMillis, Math.max(left / 4, least))
  const late = () =>
    new DestinationFailed({
      location: rung.location,
      operation: "try",
      key: "",
      reason: `it did not answer within ${Math.round(millis)} ms`,
      transient: true,
      refused: false,
    })
  return yield* Unwaited.until(rung.open({ probe: probeOf(folder) }), Effect.sleep(millis)).pipe(
    Effect.flatMap(Option.match({ onNone: () => Effect.fail(late()), onSome: Effect.succeed })),
  )
})

/** Keeps the choice for later tasks and calls; where the incident's disk takes nothing more it is made again by them. */
const keep = (folder: IncidentFolder, chosen: ChosenRung) => Effect.ignore(writeDocument(folder.path, fileName, chosen))

/** Takes the first of the rungs that takes a small object; `passed` are those that did not before. */
const climb = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  rungs: ReadonlyArray<Rungs.Openable | RungList.Unusable>,
  passed: ReadonlyArray<RungRefusal>,
  known: ChosenRung["places"],
) {
  const refusals = [...passed]
  for (const rung of rungs) {
    if ("problem" in rung) {
      refusals.push({ rung: rung.name, reason: rung.problem, refused: false })
      continue
    }
    const opened = yield* Effect.result(attempt(folder, rung))
    if (opened._tag === "Failure") {
      refusals.push({ rung: rung.name, reason: opened.failure.message, refused: opened.failure.refused })
      continue
    }
    const { away, location, name, trial } = opened.success
    yield* keep(folder, {
      format: "dandori-rung/1",
      rung: name,
      location,
      away,
      digests: trial.digests,
      ...(trial.lock === undefined ? {} : { lock: trial.lock }),
      refusals,
      places: { ...known, [name]: location },
    })
    return { destination: opened.success, refusals } satisfies Chosen as Chosen
  }
  return yield* new LadderExhausted({ refusals })
})

/**
 * Opens and tries the rungs in their order, and takes the first that takes a small object. Another call goes on with the
 * same rung while it answers; but a place away from this machine, or the one that the call names, is tried before it.
 */
export const choose = Effect.fn("Ladder.choose")(function* (folder: IncidentFolder) {
  const before = yield* readChosen(folder)
  const known = before?.places ?? {}
  const rungs = yield* Rungs.of(folder, known)
  const kept = rungs.find((rung) => "location" in rung && rung.location === before?.location)
  if (before === undefined || kept === undefined || !before.away) return yield* climb(folder, rungs, [], known)
  const first = folder.call.destination === undefined ? [] : rungs.slice(0, 1)
  const order = [...new Set([...first, kept, ...rungs])]
  return yield* climb(folder, order, [], known)
})

/** After a destination broke: the next one that takes a small object. */
export const after = Effect.fn("Ladder.after")(function* (
  folder: IncidentFolder,
  { destination, refusals }: Chosen,
  { reason, refused }: Pick<RungRefusal, "reason" | "refused">,
) {
  const known = { ...(yield* readChosen(folder))?.places, [destination.name]: destination.location }
  const passed = [...refusals, { rung: destination.name, reason, refused }]
  const gone = new Set(passed.map(({ rung }) => rung))
  const rungs = (yield* Rungs.of(folder, known)).filter(({ name }) => !gone.has(name))
  return yield* climb(folder, rungs, passed, known)
})

/** Nothing was chosen yet, or what was is no longer configured. */
const unchosen = (folder: IncidentFolder) =>
  new DestinationFailed({
    location: folder.path,
    operation: "find the destination",
    key: "",
    reason:
      "nothing was pushed yet, or the rung is no longer configured: run the evacuation again with this incident's id",
    transient: false,
    refused: false,
  })

/** The destination that was chosen, opened without trying it again. */
export const chosen = Effect.fn("Ladder.chosen")(function* (folder: IncidentFolder) {
  const before = yield* readChosen(folder)
  if (before === undefined) return yield* unchosen(folder)
  const rungs = yield* Rungs.of(folder, before.places)
  const rung = rungs.find((each) => "location" in each && each.location === before.location)
  if (rung === undefined || "problem" in rung) return yield* unchosen(folder)
  const { digests, lock } = before
  const opened: Destination = yield* rung.open({ trial: { digests, lock } })
  return opened
})

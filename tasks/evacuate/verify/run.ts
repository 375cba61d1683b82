import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { NotTaken } from "../../../src/domain/collected.ts"
import type { Latest } from "../../../src/domain/latest.ts"
import type { Pushed } from "../../../src/domain/pushed.ts"
import * as Confirmation from "../../../src/services/evacuation/destination/confirmation.ts"
import { type IncidentFolder, Incidents, readLines } from "../../../src/services/evacuation/incident/incidents.ts"
import * as Ladder from "../../../src/services/evacuation/destination/ladder.ts"
import * as Memory from "../../../src/services/memory.ts"
import * as LatestPointer from "../../../src/services/evacuation/destination/latest-pointer.ts"
import * as Mirror from "../../../src/services/evacuation/destination/mirror.ts"
import * as OwnFiles from "../../../src/services/evacuation/bundle/own-files.ts"
import * as Items from "../../../src/services/evacuation/push/push-items.ts"
import * as Journal from "../../../src/services/evacuation/push/pushed-journal.ts"
import * as Outcomes from "../../../src/services/evacuation/incident/outcomes.ts"
import * as Seal from "../../../src/services/evacuation/incident/seal.ts"
import { Settings } from "../../../src/services/settings.ts"
import type { Input, Output } from "./schema.ts"

/** Most problems that the output names, each in so many characters. */
const mostProblems = 20
const mostText = 400

/** What is missing before anything is asked: what was not taken, and what did not work. */
const lacking = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const ended = yield* Outcomes.read(folder)
  const last = new Map(ended.map((each) => [each.collector, each]))
  const collectors = [...last.values()]
    .filter(({ outcome }) => outcome === "failed")
    .map(({ collector, reason = "it did not say why" }) => `the collector ${collector} failed: ${reason}`)
  const all = yield* readLines(folder.path, "not-taken.ndjson", NotTaken)
  const listed = all.filter(({ noBytes }) => noBytes !== true)
  const notTaken = new Map(listed.map((line) => [`${line.collector}\0${line.source}`, line]))
  return { collectors, notTaken }
})

/** How many files were seen, and what became of them. The captures' tars are not counted. */
const coverageOf = (
  items: ReadonlyArray<Items.Item>,
  notTaken: ReadonlyMap<string, NotTaken>,
  there: ReadonlyArray<Pushed>,
): Output["coverage"] => {
  const files = new Map(
    items
      .filter(({ file }) => file.collector !== Items.captures)
      .map(({ file }) => [Journal.placeOf(file), `${file.collector}\0${file.source}`]),
  )
  const taken = there.filter((line) => files.has(Journal.placeOf(line)))
  const names = new Set(files.values())
  const seen = files.size + [...notTaken.keys()].filter((name) => !names.has(name)).length
  const unstable = taken.filter((line) => line.unstable === true).length
  return { seen, taken: taken.length, notTaken: seen - taken.length, unstable }
}

const moveLatest = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  destination: Effect.Success<ReturnType<typeof Ladder.chosen>>,
  there: ReadonlyArray<Pushed>,
) {
  const { max_shrink } = (yield* Settings).sections.evacuation
  const { drill, id, snapshot } = folder.incident
  if (drill) return { moved: false, reason: "this is a drill" }
  const objects = there.filter(({ to }) => to === "snapshot")
  const root = yield* OwnFiles.rootOf(folder, "snapshot")
  if (objects.length === 0 || root === undefined) return { moved: false, reason: "there is nothing in the snapshot" }
  const bytes = objects.reduce((sum, line) => sum + line.bytes, 0)
  const to: Latest = { format: "dandori-latest/1", snapshot, incident: id, objects: objects.length, bytes, root }
  return yield* LatestPointer.move(destination, to, folder.call.mayShrink === true ? 1 : max_shrink)
})

/** Has the destination confirm all that was pushed for an incident, and moves `latest` where everything is there. */
export const run = Effect.fn("EvacuateVerify.run")(function* ({ incident }: typeof Input.Type) {
  const folder = yield* (yield* Incidents).find(incident)
  yield* Memory.tidy
  const { layout, parallel } = (yield* Settings).sections.evacuation
  const items = yield* Items.of(folder)
  const { collectors, notTaken } = yield* lacking(folder)
  const opened = yield* Effect.result(Ladder.chosen(folder))
  if (Result.isFailure(opened)) {
    return {
      verified: 0,
      failed: items.length,
      problems: [opened.failure.message.slice(0, mostText)],
      complete: false,
      latest: { moved: false, reason: "nothing was verified" },
      coverage: coverageOf(items, notTaken, []),
    } satisfies Output as Output
  }
  const destination = opened.success
  const journal = yield* Journal.readOf(folder.path, destination.name)
  const lines = items.flatMap(({ file }) => journal.get(Journal.placeOf(file)) ?? [])
  const unsent = items.filter(({ file }) => !journal.has(Journal.placeOf(file)))
  const own = yield* OwnFiles.of(folder, destination)
  const asked = yield* Confirmation.ask(folder, destination, [...lines, ...own.files], parallel)
  // Where the list cannot be written the next call finds the same again.
  yield* Effect.ignore(Confirmation.forget(folder, destination.name, asked.missing))

  const there = lines.filter(({ key }) => asked.confirmed.has(key))
  const listed = new Set([...notTaken.values()].map(({ source }) => source))
  const problems = [
    ...asked.problems.map(({ key, reason }) => `${key}: ${reason}`),
    ...(own.problem === undefined ? [] : [own.problem]),
    ...own.partial.map((bundle) => `the ${bundle} is not complete: its manifest lies apart`),
    ...collectors,
    ...[...notTaken.values()].map(({ reason, source }) => `${source} was not taken: ${reason}`),
    ...unsent.filter(({ file }) => !listed.has(file.source)).map(({ file }) => `${file.source} was not pushed`),
  ]
  const isWhole = problems.length === 0
  if (isWhole) yield* Seal.set(folder, destination)
  const latest = isWhole
    ? yield* moveLatest(folder, destination, there)
    : { moved: false, reason: "the evacuation is not complete" }
  if (latest.moved && layout === "mirror") problems.push(...(yield* Mirror.keep(folder, destination, there, parallel)))
  return {
    verified: asked.confirmed.size,
    failed: asked.problems.length,
    problems: problems.slice(0, mostProblems).map((problem) => problem.slice(0, mostText)),
    complete: problems.length === 0,
    latest,
    coverage: coverageOf(items, notTaken, there),
  } satisfies Output as Output
}, Effect.scoped)

import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Outcome from "../../../src/domain/evacuation-outcome.ts"
import { Attempt } from "../../../src/services/attempt.ts"
import { Evidence } from "../../../src/services/evidence.ts"
import * as IncidentRecord from "../../../src/services/evacuation/report/incident-record.ts"
import { type IncidentFolder, Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import * as LedgerTimeline from "../../../src/services/evacuation/report/ledger-timeline.ts"
import { isNamed } from "../../../src/services/evacuation/destination/named-destination.ts"
import { localZone } from "../../../src/services/evacuation/report/post-mortem-words.ts"
import type { PostMortem } from "../../../src/services/evacuation/report/post-mortem.ts"
import * as Promises from "../../../src/services/evacuation/report/promises.ts"
import * as Stopping from "../../../src/services/evacuation/stop/stopping.ts"
import { Settings } from "../../../src/services/settings.ts"
import { Workspace } from "../../../src/services/workspace.ts"

/** How long before the opening the ledger is looked at, milliseconds. */
const beforeMillis = 2 * 3_600_000

/** What the other sub-types of this run answered, and which of them failed, by the ledger; a ledger that fails says nothing. */
const outcomeOf = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const { run } = yield* Attempt
  const evidence = yield* Evidence
  const others = Outcome.steps.filter((step) => step !== "report")
  const answers = yield* Effect.forEach(others, (step) =>
    Effect.map(Effect.option(evidence.outputOf(run, step)), (found) => [step, Option.flatten(found)] as const),
  )
  const failed = yield* Effect.forEach(others, (step) =>
    Effect.map(Effect.option(evidence.failureOf(run, step)), (found) =>
      Option.toArray(Option.flatten(found)).map(({ message }) => ({ step, message })),
    ),
  )
  const given = Object.fromEntries(
    answers.flatMap(([step, answer]) => Option.toArray(answer).map((value) => [step, value] as const)),
  )
  return Outcome.ofAnswers(
    {
      incident: folder.incident.id,
      folder: folder.path,
      drill: folder.incident.drill,
      named: isNamed(folder.incident.project, folder.call.destination, given.push),
      failed: failed.flat(),
    },
    given,
  )
})

/** The capture of the project's ledger in PostgreSQL; nothing where there is none. */
const ledgerCaptured = Effect.fnUntraced(function* ({ collected, folder }: IncidentRecord.IncidentRecord) {
  const { collectors } = (yield* Settings).sections.evacuation
  const names = collectors.flatMap((each) =>
    each.kind === "machine" && each.what === "ledger-database" ? [each.name] : [],
  )
  return collected.flatMap(({ collector, path }) =>
    path !== undefined && names.includes(collector) ? [join(folder.path, path)] : [],
  )
})

/** The ledgers of this machine: that of the project, and that of the evacuation itself where it is another. */
const ledgerOf = Effect.fnUntraced(function* (record: IncidentRecord.IncidentRecord, now: number) {
  const { run } = yield* Attempt
  const window = { from: record.folder.incident.opened - beforeMillis, to: now }
  const homes = new Set([(yield* Incidents).projectHome, (yield* Workspace).home])
  const inFiles = yield* Effect.forEach([...homes], (home) => LedgerTimeline.read(join(home, "ledger"), window, run))
  const inDatabase = yield* Effect.forEach(yield* ledgerCaptured(record), (path) =>
    LedgerTimeline.readCapture(path, window, run),
  )
  const told = [...inFiles, ...inDatabase]
  return {
    moments: told.flatMap(({ moments }) => moments),
    problems: told.flatMap(({ problems }) => problems),
  } satisfies LedgerTimeline.Told
})

/** How much of what was seen is in the bundles: as verified, else as their manifests have it. */
const coverageOf = ({ manifests }: IncidentRecord.IncidentRecord, { verify }: Outcome.EvacuationOutcome) => {
  if (verify?.coverage !== undefined) return verify.coverage
  if (manifests.length === 0) return undefined
  const sum = (of: "seen" | "taken") => manifests.reduce((total, { coverage }) => total + coverage[of], 0)
  return { seen: sum("seen"), taken: sum("taken") }
}

/** All that a post-mortem record is made from, as far as it can be read. Of a drill, its promises too. */
export const gather = Effect.fn("evacuate/report.gather")(function* (folder: IncidentFolder) {
  const now = yield* Clock.currentTimeMillis
  const record = yield* IncidentRecord.read(folder)
  const outcome = { ...(yield* outcomeOf(folder)), startedAgain: yield* Stopping.startedAgain(folder) }
  const told = yield* ledgerOf(record, now)
  const promises = folder.incident.drill
    ? Promises.judge((yield* Settings).sections.evacuation.promises, {
        opened: folder.incident.opened,
        first: record.pushed.map(({ at }) => at).toSorted((a, b) => a - b)[0],
        completed: Outcome.lacksBeforeReport(outcome).length === 0 ? now : undefined,
        coverage: coverageOf(record, outcome),
      })
    : []
  return { record, outcome, told, promises, zone: localZone(), now } satisfies PostMortem
})

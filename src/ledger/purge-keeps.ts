import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Clock from "effect/Clock"
import * as Cordon from "../domain/cordon.ts"
import { type Entry, data as eventData } from "../domain/event.ts"
import * as Hold from "../domain/hold.ts"
import * as Moment from "../domain/moment.ts"
import { filesGo } from "../domain/registry.ts"
import { Sha256 } from "../domain/sha256.ts"
import { Cordons } from "../services/cordons.ts"
import { ExportCursors } from "../services/export-cursors.ts"
import { Holds } from "../services/holds.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import { Settings } from "../services/settings.ts"
import * as Sqlite from "../services/sqlite.ts"
import { UnfinishedRuns } from "../services/unfinished-runs.ts"
import * as NotedEnds from "./noted-ends.ts"
import { receiptsOf, subjectsOf } from "./run-leftovers.ts"
import { holdsWord } from "./unfinished-runs-ledger.ts"

/** A run that is looked at, with its entries as verified. */
export interface Looked {
  readonly run: string
  readonly entries: ReadonlyArray<Entry>
}

const cursorsOfState = ExportCursors.layer.pipe(Layer.provide(Sqlite.layerState))

/** Forgets how far the exporters have come with runs that are purged. */
export const forgetCursors = Effect.fnUntraced(function* (runs: ReadonlyArray<string>) {
  const { exporters } = (yield* Settings).sections.exporters
  if (exporters.length === 0 || runs.length === 0) return
  const forget = Effect.flatMap(ExportCursors, (cursors) => Effect.forEach(runs, cursors.forget, { discard: true }))
  yield* Effect.provide(forget, cursorsOfState)
})

/** What is known beside holds and registry, looked up once for several runs. */
export const around = Effect.gen(function* () {
  const { env, sections } = yield* Settings
  const unfinished = yield* (yield* UnfinishedRuns).list([])
  const { exporters } = sections.exporters
  const behind = Effect.flatMap(ExportCursors, (cursors) =>
    Effect.forEach(exporters, ({ name }) => Effect.map(cursors.ended(`${env}/${name}`), (ended) => ({ name, ended }))),
  ).pipe(Effect.provide(cursorsOfState))
  return { unfinished, noted: yield* NotedEnds.read(env), exporters: exporters.length === 0 ? [] : yield* behind }
})
export type Around = Effect.Success<typeof around>

/** What holds and registry say now: to be looked up in the registry's transaction, which no hold comes into. */
export const registered = Effect.gen(function* () {
  const registry = yield* ModelRegistry
  const holds = yield* Effect.result((yield* Holds).list)
  return {
    now: yield* Clock.currentTimeMillis,
    holds,
    cordons: yield* (yield* Cordons).list,
    rows: yield* registry.list(),
    ...(yield* registry.histories),
  }
})
export type Registered = Effect.Success<typeof registered>

const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])
const isSucceeded = Schema.is(eventData["dev.dandori.attempt.succeeded.v1"])
const isWormRecord = Schema.is(
  Schema.Struct({ path: Schema.String, sha256: Sha256, sequence: Schema.Int, prevSha256: Sha256 }),
)

const heldBy = ({ entries, run }: Looked, { holds, now }: Registered): string | undefined => {
  if (Result.isFailure(holds)) return holds.failure.message
  const active = holds.success.filter((hold) => Hold.isActive(hold, now))
  const texts = active.length === 0 ? [] : entries.map(({ data }) => JSON.stringify(data))
  const found = active.find(({ subject }) => {
    const [kind, name = ""] = subject.split("/")
    return kind === "run" ? name === run : texts.some((text) => holdsWord(text, name))
  })
  return found === undefined ? undefined : `${found.subject} is held by ${found.who}: ${found.reason}`
}

const cordonedBy = (pipeline: string, { cordons, now }: Registered): string | undefined => {
  const found = cordons.find((cordon) => Cordon.holds(cordon, now, { pipeline }))
  return found === undefined ? undefined : `cordon ${found.id} stands: ${found.reason}`
}

const neededByModel = ({ entries, run }: Looked, known: Registered): string | undefined => {
  const last = new Map(known.files.map((event) => [event.version, event.state]))
  const there = known.rows.filter(({ version }) => !filesGo(last.get(version)))
  const versions = new Set(there.map(({ version }) => version))
  const own = [...known.events, ...known.files, ...known.moves].find(
    (row) => row.run === run && row.version !== null && versions.has(row.version),
  )
  if (own !== undefined) return `the registry names it for version ${own.version}`
  const left = known.moves.find((row) => row.run === run && row.version === null && versions.has(row.from ?? ""))
  if (left !== undefined) return `the registry names it for version ${left.from}`
  const [subjects, receipts] = [new Set(subjectsOf(entries)), receiptsOf(entries)]
  const judged = there.find((row) => subjects.has(row.digest) || row.receipts.some((digest) => receipts.has(digest)))
  if (judged !== undefined) return `it has a receipt of version ${judged.version}`
  const moved = known.moves.find(({ receipt, version }) => receipts.has(receipt ?? "") && versions.has(version ?? ""))
  return moved === undefined ? undefined : `it has the receipt by which ${moved.version} became champion`
}

const neededByRecord = ({ entries }: Looked, years: number, now: number): string | undefined => {
  for (const { data, time, type } of entries) {
    if (type !== "dev.dandori.attempt.succeeded.v1" || !isSucceeded(data) || !isWormRecord(data.output)) continue
    const until = Moment.yearsAfter(Date.parse(time), years)
    if (now < until.getTime()) return `it testifies to a write-once record, which stays until ${until.toISOString()}`
  }
  return undefined
}

const neededByRun = ({ entries, run }: Looked, { unfinished }: Around): string | undefined => {
  const subjects = subjectsOf(entries)
  const open = unfinished.find(({ names }) => names(run) || subjects.some((digest) => names(digest)))
  return open === undefined ? undefined : `run ${open.run} of ${open.pipeline} names it and has not ended`
}

const unsent = ({ run }: Looked, { exporters }: Around): string | undefined => {
  const behind = exporters.find(({ ended }) => !ended.has(run))
  return behind === undefined ? undefined : `exporter ${behind.name} has not sent all of it: dandori ledger send`
}

/**
 * What keeps a run that has ended from being purged, whatever its age; undefined where nothing does:
 *
 * - it is one of another environment, whose holds and models are elsewhere;
 * - an active hold on it, or on a model version or a snapshot whose name stands in its events as a word;
 * - a cordon that holds its pipeline: an incident's evidence stays;
 * - a version in the registry whose files are not purged: a row of its histories or of the alias is by this run, or a
 *   receipt that lets it pass is of a gate in this run;
 * - a write-once record to which it testifies, for `audit_years`;
 * - a run that has not ended, and whose events name it (as the one it retries, or of a cache hit) or bytes that it has judged;
 * - its schedule, which has not taken note of its end: it would begin it again;
 * - an exporter that has not sent its last event.
 */
export const find = Effect.fnUntraced(function* (looked: Looked, outside: Around, known: Registered) {
  const { env, sections } = yield* Settings
  const created = looked.entries[0]?.data
  if (!isCreated(created)) return "its first event does not say what was run"
  if (created.env !== env) return `it is a run of ${created.env}; say --env ${created.env}`
  return (
    heldBy(looked, known) ??
    cordonedBy(created.pipeline, known) ??
    neededByModel(looked, known) ??
    neededByRecord(looked, sections.retention.audit_years, known.now) ??
    neededByRun(looked, outside) ??
    (created.tick !== undefined && outside.noted?.has(looked.run) === false
      ? "its schedule has not taken note of its end: start the daemon"
      : undefined) ??
    unsent(looked, outside)
  )
})

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Checksums from "../domain/checksums.ts"
import * as Hold from "../domain/hold.ts"
import type { ModelVersion } from "../domain/model.ts"
import * as Registry from "../domain/registry.ts"
import * as Retention from "../domain/model-retention.ts"
import { Evidence } from "./evidence.ts"
import type { LockBusy } from "./file-lock.ts"
import { Holds } from "./holds.ts"
import { ModelFiles } from "./model-files.ts"
import { ModelRegistry } from "./model-registry.ts"
import { Settings } from "./settings.ts"
import { type UnfinishedRun, UnfinishedRuns } from "./unfinished-runs.ts"

/** The task types whose inputs and outputs name versions and data because these are due, and not because they are needed. */
export const ownTypes = ["data-purge", "model-due", "model-purge"]

/** What a purge has done with a version that it was given. */
export interface Purged extends ModelVersion {
  readonly bytes: number
}

/** A version that a purge has left, and why. */
export interface Left extends ModelVersion {
  readonly why: string
}

/** What is known beside registry and holds: the runs that have not ended, and whose receipts let versions pass. */
interface Around {
  readonly unfinished: ReadonlyArray<UnfinishedRun>
  readonly receiptRuns: ReadonlyMap<string, ReadonlyArray<string>>
}

const registered = Effect.gen(function* () {
  const registry = yield* ModelRegistry
  const holds = yield* Effect.result((yield* Holds).list)
  return { rows: yield* registry.list(), ...(yield* registry.histories), holds }
})

type Registered = Effect.Success<typeof registered>

const judged = Effect.fnUntraced(function* (known: Registered, { receiptRuns, unfinished }: Around) {
  const now = yield* Clock.currentTimeMillis
  const { retention: rules } = (yield* Settings).sections
  const runs = Map.groupBy(known.events, ({ version }) => version)
  const keeping = ({ version }: Registry.ModelRow): Retention.Keeping => {
    const open = unfinished.find(({ names }) => names(version))
    const why = open === undefined ? undefined : `run ${open.run} of ${open.pipeline} names it and has not ended`
    if (Result.isFailure(known.holds)) return { why: why ?? known.holds.failure.message, ended: undefined }
    const own = (runs.get(version) ?? []).map(({ run }) => `run/${run}`)
    const others = (receiptRuns.get(version) ?? []).map((run) => `run/${run}`)
    const about = known.holds.success.filter((hold) => Hold.isAbout(hold, [`model/${version}`, ...own, ...others]))
    const active = about.find((hold) => Hold.isActive(hold, now))
    const held = active === undefined ? undefined : `${active.subject} is held by ${active.who}: ${active.reason}`
    const ends = about.flatMap((hold) => Hold.endOf(hold) ?? [])
    return { why: held ?? why, ended: ends.length === 0 ? undefined : Math.max(...ends) }
  }
  return Retention.judge({ now, rules, ...known, keeping })
})

/** The runs whose receipts name the bytes of versions: asked only where holds on runs could keep them. */
const receiptRunsOf = Effect.fnUntraced(function* (known: Registered, versions: ReadonlyArray<Registry.ModelRow>) {
  const isNeeded =
    Result.isSuccess(known.holds) && known.holds.success.some(({ subject }) => subject.startsWith("run/"))
  if (!isNeeded) return new Map<string, ReadonlyArray<string>>()
  const evidence = yield* Evidence
  const found = yield* Effect.forEach(versions, ({ digest, version }) =>
    Effect.map(
      evidence.receiptsFor(digest),
      (receipts) => [version, receipts.map(({ statement }) => statement.predicate.dandori.run)] as const,
    ),
  )
  return new Map(found)
})

const isGoing = ({ verdict }: Retention.Judged) => verdict.is === "due" || verdict.is === "ready"

const around = Effect.fnUntraced(function* (known: Registered, given?: ReadonlyArray<Registry.ModelRow>) {
  const unfinished = yield* (yield* UnfinishedRuns).list(ownTypes)
  const receiptRuns = new Map<string, ReadonlyArray<string>>()
  const rows = given ?? (yield* judged(known, { unfinished, receiptRuns })).filter(isGoing).map(({ row }) => row)
  return { unfinished, receiptRuns: yield* receiptRunsOf(known, rows) } satisfies Around
})

const bytesOf = Effect.fnUntraced(function* (version: string) {
  const files = yield* ModelFiles
  const folder = yield* files.folder(version)
  if (!(yield* files.exists(folder))) return 0
  return (yield* files.inspect(folder)).reduce((sum, { bytes }) => sum + bytes, 0)
})

/** Decides about every registered version, and how many bytes those hold that are due. Changes nothing. */
export const survey = Effect.fn("ModelRetention.survey")(function* () {
  const known = yield* registered
  const all = yield* judged(known, yield* around(known))
  return yield* Effect.forEach(all, (one) =>
    Effect.map(isGoing(one) ? bytesOf(one.row.version) : Effect.succeed(0), (bytes) => ({ ...one, bytes })),
  )
})

/**
 * As `survey`, and writes into the registry which versions have become due, and which marked ones are kept after all.
 * Their grace begins there. Nothing is written while the holds cannot be read.
 */
export const mark = Effect.fn("ModelRetention.mark")(function* (warrant: Registry.Warrant) {
  const registry = yield* ModelRegistry
  const before = yield* registered
  const outside = yield* around(before)
  if (Result.isSuccess(before.holds)) {
    const sizes = new Map<string, number>()
    for (const { row } of (yield* judged(before, outside)).filter(isGoing)) {
      sizes.set(row.version, yield* bytesOf(row.version))
    }
    yield* registry.atomically(
      Effect.gen(function* () {
        const known = yield* registered
        const last = Retention.lastOf(known.files)
        for (const { row, verdict } of yield* judged(known, outside)) {
          const { version } = row
          const wasDue = last.get(version)?.state === "due"
          const bytes = sizes.get(version) ?? 0
          if (verdict.is === "due" && !wasDue && sizes.has(version)) {
            yield* registry.recordFiles(version, "due", bytes, warrant)
          } else if (verdict.is === "kept" && wasDue) {
            const reason = `${warrant.reason}: ${verdict.why}`
            yield* registry.recordFiles(version, "kept", last.get(version)?.bytes ?? 0, { ...warrant, reason })
          }
        }
      }),
    )
  }
  return yield* survey()
})

/** What a version goes through to be archived. */
const wayToArchived = (status: Registry.ModelStatus): ReadonlyArray<"candidate" | "rejected" | "archived"> => {
  if (status === "archived") return []
  if (status === "draft") return ["candidate", "rejected", "archived"]
  return status === "candidate" ? ["rejected", "archived"] : ["archived"]
}

/** Why the folder of a version is not to be removed; undefined when it holds exactly what was published. */
const folderProblem = Effect.fnUntraced(function* ({ digest, version }: ModelVersion) {
  const files = yield* ModelFiles
  if (!(yield* files.exists(yield* files.folder(version)))) {
    return "its folder is gone, and no purge has removed it"
  }
  const { differences, list } = yield* files.verify(version)
  if (differences.length === 0 && list?.root_digest === digest) return undefined
  return `its files are not what was published (${differences.map(Checksums.describe).join("; ") || "other bytes"}); look: dandori model verify ${version}`
})

/**
 * In one transaction: looks again at all that could keep the version, archives it, and writes that its files go. From its
 * commit on nobody deploys the version. Answers with the size of the files, or why they are left.
 */
const begin = Effect.fnUntraced(function* (
  model: ModelVersion,
  bytes: number,
  outside: Around,
  warrant: Registry.Warrant,
) {
  const registry = yield* ModelRegistry
  const { version } = model
  const known = yield* registered
  const found = (yield* judged(known, outside)).find(({ row }) => row.version === version)
  if (found === undefined) return "the registry has no such version"
  const { row, verdict } = found
  if (row.digest !== model.digest) return `the registry has other bytes under it (${row.digest.slice(0, 12)}…)`
  if (verdict.is === "kept") return verdict.why
  if (verdict.is === "purged") return `its files were purged at ${verdict.at}`
  if (verdict.is === "due") {
    return verdict.marked ? `its grace is over at ${new Date(verdict.from).toISOString()}` : "it was not marked as due"
  }
  if (verdict.begun) return Retention.lastOf(known.files).get(version)?.bytes ?? bytes
  for (const status of wayToArchived(row.status)) yield* registry.transition(version, status, warrant)
  yield* registry.recordFiles(version, "purging", bytes, warrant)
  return bytes
})

const whileRead = ({ path }: LockBusy) => `somebody reads or publishes it now (${path}); it goes another time`

/**
 * Purges the files of one version, all or nothing as others see it: the registry says first that they go, then the folder
 * is renamed away, then it is removed, then the registry says that they are gone. What a crash interrupts is finished by
 * whoever purges the version next. Answers with the bytes, or why it is left.
 */
export const purgeOne = Effect.fn("ModelRetention.purgeOne")(
  function* (model: ModelVersion, warrant: Registry.Warrant) {
    const files = yield* ModelFiles
    const registry = yield* ModelRegistry
    const { version } = model
    yield* files.claim
    const answer = yield* Effect.scoped(
      Effect.gen(function* () {
        yield* files.alone(version)
        const before = yield* registry.filesOf(version)
        const isBegun = before._tag === "Some" && Registry.filesGo(before.value.state)
        const problem = isBegun ? undefined : yield* folderProblem(model)
        const known = yield* registered
        const outside = yield* around(
          known,
          known.rows.filter((row) => row.version === version),
        )
        const bytes = isBegun ? 0 : yield* problem === undefined ? bytesOf(version) : Effect.succeed(0)
        const begun =
          problem ??
          (Result.isFailure(known.holds)
            ? known.holds.failure.message
            : yield* registry.atomically(begin(model, bytes, outside, warrant)))
        if (typeof begun === "number") yield* files.putAside(version)
        return begun
      }),
    )
    if (typeof answer === "string") return answer
    yield* files.removeAside(version)
    yield* registry.recordFiles(version, "purged", answer, warrant)
    return answer
  },
  (effect) => Effect.catchTag(Effect.scoped(effect), "LockBusy", (busy) => Effect.succeed(whileRead(busy))),
)

/** Purges the files of the given versions, each by itself. Answers with those that are gone, and those that are left. */
export const purge = Effect.fn("ModelRetention.purge")(function* (
  models: ReadonlyArray<ModelVersion>,
  warrant: Registry.Warrant,
) {
  const purged: Array<Purged> = []
  const left: Array<Left> = []
  for (const { digest, version } of models) {
    const answer = yield* purgeOne({ version, digest }, warrant)
    if (typeof answer === "number") purged.push({ version, digest, bytes: answer })
    else left.push({ version, digest, why: answer })
  }
  return { purged, left }
})

import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { data as eventData } from "../domain/event.ts"
import type { GateResult } from "../domain/gate.ts"
import { namedFiles } from "../domain/named-files.ts"
import type { PlanTask } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Artifacts } from "../services/artifacts.ts"
import { CacheIndex, type CacheRecord } from "../services/cache-index.ts"
import { CodeDigest } from "../services/code-digest.ts"
import { digestFile } from "../services/durable-files.ts"
import { Evidence } from "../services/evidence.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import type { PreparedType } from "./prepared.ts"

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The cache key of a task: its type and version, input, the config it declares, the bytes it names, and the code. */
export const keyOf = Effect.fnUntraced(function* (task: PlanTask, prepared: PreparedType, input: unknown) {
  const settings = yield* Settings
  const workspace = yield* Workspace
  const code = (yield* CodeDigest)()
  const files: Record<string, string> = {}
  for (const file of namedFiles(input, prepared.input)) {
    const path = yield* workspace.resolve(file)
    files[file] = (yield* digestFile(path)).sha256
  }
  const config = Object.fromEntries(
    (prepared.type.config ?? []).map((section) => [
      section,
      settings.digest(section as keyof typeof settings.sections),
    ]),
  )
  const sources = prepared.sources ?? null
  return CanonicalJson.digest({ type: task.type, version: task.version, input, config, files, code, sources })
})

/** True when all bytes that an output names are there with their digests: artifacts, and files with a path. */
const bytesAreThere = Effect.fnUntraced(function* (value: unknown) {
  const artifacts = yield* Artifacts
  const workspace = yield* Workspace
  const open: Array<unknown> = [value]
  while (open.length > 0) {
    const item = open.pop()
    if (Array.isArray(item)) open.push(...item)
    if (!isRecord(item)) continue
    const { sha256, mediaType, path } = item
    if (typeof sha256 === "string" && typeof mediaType === "string") {
      if (!(yield* artifacts.has(sha256))) return false
    } else if (typeof sha256 === "string" && typeof path === "string") {
      const found = yield* workspace.resolve(path).pipe(
        Effect.flatMap(digestFile),
        Effect.map((digest) => digest.sha256),
        Effect.orElseSucceed(() => undefined),
      )
      if (found !== sha256) return false
    } else open.push(...Object.values(item))
  }
  return true
})

/** What an earlier run produced, as its entry in the ledger tells it. */
export interface Hit extends CacheRecord {
  readonly output: unknown
  readonly receipts: ReadonlyArray<Artifact>
}

const isSucceeded = Schema.is(eventData["dev.dandori.attempt.succeeded.v1"])

/** The entry that the index names, if it stands in its run's intact stream and says that it answers the key. */
const recall = Effect.fnUntraced(function* (key: Sha256, record: CacheRecord) {
  const ledger = yield* Ledger
  const { entries } = yield* ledger.read(StreamName.ofRun(record.run))
  const entry = entries.find(({ entryhash }) => entryhash === record.entry)
  const data = entry?.data
  if (!isSucceeded(data) || data.cacheKey !== key || data.task !== record.task) return undefined
  const artifacts = yield* Artifacts
  const large = data.outputArtifact
  const output =
    large === undefined ? data.output : JSON.parse(new TextDecoder().decode(yield* artifacts.get(large.sha256)))
  return { ...record, output: output as unknown, receipts: data.receipts ?? [] } satisfies Hit
})

/**
 * True when the newest receipt of this gate that holds, for every subject of its verdict in this environment, is of this
 * very judgement. One under another policy, or a later FAILED, calls for a fresh one.
 */
const stillGated = Effect.fnUntraced(function* (task: PlanTask, gate: GateResult) {
  const evidence = yield* Evidence
  const { env } = yield* Settings
  for (const subject of gate.subjects) {
    const found = yield* evidence.receiptsFor(subject.sha256)
    const newest = found.find(
      ({ problem, statement: { predicate } }) =>
        problem === undefined && predicate.dandori.gate === task.type && predicate.dandori.env === env,
    )?.statement.predicate
    const policy = newest?.configuration.some(({ digest }) => digest.sha256 === gate.policy.sha256)
    if (policy !== true || newest?.result !== gate.verdict) return false
  }
  return true
})

/** What an earlier run produced for the key, if its entry is in the ledger, its bytes are there and its receipts hold. */
export const lookup = Effect.fnUntraced(function* (
  key: Sha256,
  task: PlanTask,
  prepared: PreparedType,
): Effect.fn.Return<Option.Option<Hit>, never, Artifacts | CacheIndex | Evidence | Ledger | Settings | Workspace> {
  const index = yield* CacheIndex
  const found = yield* index.get(key)
  if (Option.isNone(found)) return Option.none()
  return yield* Effect.gen(function* () {
    const hit = yield* recall(key, found.value)
    if (hit === undefined || !(yield* bytesAreThere([hit.output, hit.receipts]))) return Option.none<Hit>()
    const decoded = prepared.decodeOutput(hit.output)
    if (Exit.isFailure(decoded)) return Option.none<Hit>()
    const gate = prepared.type.gate?.(decoded.value)
    return gate === undefined || (yield* stillGated(task, gate)) ? Option.some<Hit>(hit) : Option.none<Hit>()
  }).pipe(Effect.orElseSucceed(() => Option.none<Hit>()))
})

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { type JsonSchema, property } from "../domain/json-schema.ts"
import type { PlanTask } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
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

/** Paths in an input that its schema calls `InputFile`: the bytes behind them are part of the key. */
const inputFiles = (value: unknown, schema: JsonSchema): ReadonlyArray<string> => {
  if (schema["x-name"] === "InputFile") return typeof value === "string" ? [value] : []
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return options.flatMap((option) => inputFiles(value, option))
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => inputFiles(item, schema.prefixItems?.[index] ?? schema.items ?? {}))
  }
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, item]) => inputFiles(item, property(schema, key)?.schema ?? {}))
}

/** The cache key of a task: its type and version, input, the config it declares, the bytes it names, and the code. */
export const keyOf = Effect.fnUntraced(function* (task: PlanTask, prepared: PreparedType, input: unknown) {
  const settings = yield* Settings
  const workspace = yield* Workspace
  const code = (yield* CodeDigest)()
  const files: Record<string, string> = {}
  for (const file of inputFiles(input, prepared.input)) {
    const path = yield* workspace.resolve(file)
    files[file] = (yield* digestFile(path)).sha256
  }
  const config = Object.fromEntries(
    (prepared.type.config ?? []).map((section) => [section, settings.digest(section as keyof typeof settings.sections)]),
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

/** What an earlier run produced for the key, if its entry is in the ledger and its bytes are there. */
export const lookup = Effect.fnUntraced(function* (key: Sha256): Effect.fn.Return<
  Option.Option<CacheRecord>,
  never,
  Artifacts | CacheIndex | Evidence | Workspace
> {
  const index = yield* CacheIndex
  const evidence = yield* Evidence
  const found = yield* index.get(key)
  if (Option.isNone(found)) return found
  const record = found.value
  const holds = yield* evidence.holds(record.run, record.entry).pipe(Effect.orElseSucceed(() => false))
  const there = holds && (yield* bytesAreThere([record.output, record.receipts]))
  return there ? found : Option.none()
})

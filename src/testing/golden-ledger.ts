import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import type { TestRun } from "./run-pipeline.ts"

/** A run does not leave what its golden file says. */
export class GoldenDiffers extends Schema.TaggedError<GoldenDiffers>()("GoldenDiffers", {
  path: Schema.String,
  line: Schema.Int,
  expected: Schema.String,
  found: Schema.String,
}) {
  override get message() {
    return `${this.path}:${this.line}: the run went another way.\n  expected ${this.expected}\n  found    ${this.found}\nIf that is meant, run the test once with DANDORI_UPDATE_GOLDEN=1 and review the change`
  }
}

/** What depends on the code, the machine or other entries, and not on how the run went. */
const passing = new Set(["capacity", "code", "plan", "planArtifact", "config", "cacheKey", "cached", "receipts"])

/** A value with its keys in order, so that equal values read alike. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}

const sinceStart = (millis: number): string => `+${(millis / 1000).toFixed(3)}s`

/**
 * A run's events as text to keep beside a test, one line each: seconds since the first, what happened, to which task and
 * attempt, and with what. Digests and hashes are left out: they change with the code, though the run went the same way.
 */
export const goldenLedger = ({ events }: Pick<TestRun, "events">): string => {
  const first = events[0]?.time ?? 0
  const lines = events.map(({ type, data, time }) => {
    const { task, attempt, ...rest } = data as { readonly task?: string; readonly attempt?: number }
    const facts = Object.entries(rest).filter(([key]) => !passing.has(key))
    const about = [task, ...(attempt === undefined ? [] : [`#${attempt}`])].filter((word) => word !== undefined)
    const shown = facts.length === 0 ? [] : [JSON.stringify(sorted(Object.fromEntries(facts)))]
    return [sinceStart(time - first), type.replace(/^dev\.dandori\.(.*)\.v1$/, "$1"), ...about, ...shown].join(" ")
  })
  return `${lines.join("\n")}\n`
}

const update = Config.withDefault(Config.String("DANDORI_UPDATE_GOLDEN"), "")

/**
 * Compares a run's golden ledger with the text at `path` (relative to the working folder) and fails with `GoldenDiffers`
 * at the first line that is another. With `DANDORI_UPDATE_GOLDEN=1` in the environment it writes the file instead.
 */
export const expectGolden = (path: string, result: Pick<TestRun, "events">) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const text = goldenLedger(result)
    if ((yield* update) === "1") {
      yield* fs.makeDirectory((yield* Path.Path).dirname(path), { recursive: true })
      return yield* fs.writeFileString(path, text)
    }
    const kept = (yield* fs.exists(path)) ? yield* fs.readFileString(path) : ""
    if (kept === text) return
    const [before, now] = [kept.split("\n"), text.split("\n")]
    const at = now.findIndex((line, n) => line !== before[n])
    const index = at === -1 ? now.length : at
    return yield* new GoldenDiffers({
      path,
      line: index + 1,
      expected: kept === "" ? "a file, which is not there" : (before[index] ?? "nothing more"),
      found: now[index] ?? "nothing more",
    })
  }).pipe(Effect.provide(NodeServices.layer))

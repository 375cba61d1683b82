import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import * as FileArrival from "../../src/domain/file-arrival.ts"
import * as FileTrigger from "../../src/domain/file-trigger.ts"
import { Duration, parseDuration } from "../../src/domain/quantity.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as FileListing from "../../src/services/file-listing.ts"
import { Progress } from "../../src/services/progress.ts"
import { Workspace } from "../../src/services/workspace.ts"

const Path = Schema.String.check(
  Schema.makeFilter((path) => {
    const problem = FileTrigger.problemOf(path)
    return problem === undefined ? true : `${JSON.stringify(path)} ${problem}`
  }),
  Schema.isMinLength(1),
)

const Marker = Schema.Struct({
  marker: Schema.String.check(
    Schema.makeFilter((end) => !/[/\0]/.test(end) || "must be the end of a file's name, like .done"),
    Schema.isMinLength(1),
  ).annotate({ description: "a file of its name and this end was made after it" }),
})

const Stable = Duration.check(
  Schema.makeFilter(
    (text) => (parseDuration(text) ?? 0) > 0 || "must be more than 0; say rename for a file that is complete at once",
  ),
)

/** Which file is waited for, and when it is complete. */
export const Input = Schema.Struct({
  path: Path.annotate({ description: "a pattern, relative to the project: incoming/*.csv" }),
  complete: Schema.Union([Schema.Literal("rename"), Marker, Stable]).annotate({
    description:
      "rename (at once: it gets its name when it is whole), { marker: .done }, or for how long it has not changed",
  }),
}).annotate({ identifier: "WaitForFileInput" })
export type Input = typeof Input.Type

/** The file: of several that are complete, the one whose content is oldest. */
export const Output = Schema.Struct({
  path: Schema.String.annotate({ description: "relative to the project where it lies in it" }),
  bytes: Schema.Int,
  sha256: Sha256.Sha256,
}).annotate({ identifier: "ArrivedFile" })
export type Output = typeof Output.Type

/** How often it is looked, milliseconds; less often where a look takes more than a twentieth of that. */
const lookEvery = 1_000
const slowest = 20

const monotonic = Effect.map(Clock.monotonicTimeNanos, (now) => Number(now) / 1e6)

const completeOf = ({ complete }: Input): FileArrival.Complete =>
  FileTrigger.completeOf(
    typeof complete === "string" && complete !== "rename" ? (parseDuration(complete) ?? 0) : complete,
  )

const placeOf = Effect.fnUntraced(function* (input: Input) {
  const { resolve } = yield* Workspace
  const { folder, pattern } = FileTrigger.partsOf(input.path)
  const complete = completeOf(input)
  const at = yield* resolve(folder)
  const suffix = complete.by === "marker" ? complete.suffix : undefined
  /** A folder that is not there has no files yet. */
  const list = FileListing.list(at, pattern, suffix).pipe(
    Effect.map(({ files }) => files),
    Effect.catchIf(
      (error) => error._tag === "FileFailed" && error.code === "ENOENT",
      () => Effect.succeed<ReadonlyArray<FileArrival.ListedFile>>([]),
    ),
  )
  return { at, complete, list }
})

/** The file's digest; undefined where it changed, or went, while it was read. */
const digested = Effect.fnUntraced(function* (path: string, { file, key }: FileArrival.Arrival, list: Look) {
  const found = yield* Durable.digestFile(path).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.undefined,
    ),
  )
  const now = (yield* list).find(({ path: other }) => other === file.path)
  if (found === undefined || now === undefined) return undefined
  const still = FileArrival.look(FileArrival.begin([]), [now], 0, { by: "rename" }).arrived
  return still[0]?.key === key && found.bytes === file.size ? found : undefined
})

type Look = Effect.Success<ReturnType<typeof placeOf>>["list"]

const run = Effect.fn("wait-for-file.run")(function* (input: Input) {
  const { display } = yield* Workspace
  const { log } = yield* Attempt
  const progress = yield* Progress
  const { at, complete, list } = yield* placeOf(input)
  let state = FileArrival.begin([])
  let there = -1
  for (;;) {
    const begun = yield* monotonic
    const listing = yield* list
    const now = yield* monotonic
    const found = FileArrival.look(state, listing, now, complete)
    state = found.state
    for (const arrival of found.arrived) {
      const path = join(at, arrival.file.path)
      const digest = yield* digested(path, arrival, list)
      if (digest !== undefined) return { path: display(path), bytes: digest.bytes, sha256: digest.sha256 }
    }
    const open = state.open.size
    const note = open === 0 ? `no file ${input.path} yet` : `${open} files ${input.path} that are not complete yet`
    yield* progress.report({ done: 0, total: 1, unit: "files", note })
    if (open !== there) yield* log(`Waiting: ${note}`)
    there = open
    yield* Effect.sleep(Math.max(lookEvery, (now - begun) * slowest))
  }
})

/** Waits for a file; the task's timeout says for how long. */
export default taskType({
  type: "wait-for-file",
  version: 1,
  description: "Waits until a complete file that a pattern names is there; how long, says the task's timeout",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "the folder or the file could not be read",
    FolderTooFull: "the folder holds too many files to look at",
    PathRefused: "the path leads outside of the project",
  },
  effects: "idempotent",
  config: ["storage"],
  dryRun: (input) =>
    Effect.gen(function* () {
      const { complete, list } = yield* placeOf(input)
      const files = FileArrival.withoutMarkers(yield* list, complete)
      return `waits for a file ${input.path}; ${files.length} of that name are there, complete or not`
    }),
  run,
})

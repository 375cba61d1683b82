import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { roots } from "../../src/domain/config/storage.ts"
import { Dataset } from "../../src/domain/dataset.ts"
import { InputFile } from "../../src/domain/names.ts"
import { formatSize } from "../../src/domain/quantity.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as ListedRemoval from "../../src/services/listed-removal.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"

/** What to remove, listed in exactly one way, and why. Each file goes only when it has the digest that is listed. */
export const Input = Schema.Struct({
  manifest: Schema.optionalKey(InputFile.annotate({ description: "JSON with files: [{ path, sha256 }]" })),
  files: Schema.optionalKey(Schema.Array(ListedRemoval.ListedFile)).annotate({
    description: "the files themselves, each with its SHA-256",
  }),
  dataset: Schema.optionalKey(Dataset.annotate({ description: "its partitions are removed" })),
  reason: Schema.String.check(Schema.isMinLength(1, { message: "must say why the files are removed" })).annotate({
    description: "why they go; it is recorded",
  }),
})
  .check(
    Schema.makeFilter(
      ({ manifest, files, dataset }) =>
        [manifest, files, dataset].filter((list) => list !== undefined).length === 1 ||
        "must have exactly one of manifest, files, dataset",
    ),
  )
  .annotate({ identifier: "CleanupInput" })
export type Input = typeof Input.Type

/** What was removed, and what was left and why. */
export const Output = Schema.Struct({
  removed: Schema.Array(Schema.Struct({ path: Schema.String, sha256: Sha256.Sha256, bytes: Schema.Int })),
  left: Schema.Array(Schema.Struct({ path: Schema.String, reason: Schema.String })),
  bytes: Schema.Int.annotate({ description: "bytes that were removed" }),
  reason: Schema.String,
}).annotate({ identifier: "Cleanup" })
export type Output = typeof Output.Type

const listOf = (input: Input) =>
  Effect.gen(function* () {
    if (input.files !== undefined) return input.files
    if (input.dataset !== undefined) return input.dataset.partitions
    return yield* ListedRemoval.readManifest(yield* (yield* Workspace).resolve(input.manifest ?? ""))
  })

/** Write-once records are no one's to clean; models go by retention alone, which asks the registry and the holds. */
const cleanable = Effect.gen(function* () {
  const workspace = yield* Workspace
  const { storage } = (yield* Settings).sections
  const given = roots(storage).filter(([key]) => key !== "worm_root" && key !== "models_root")
  return yield* Effect.forEach(given, ([, path]) =>
    Effect.map(workspace.resolve(path), (real) => ({ given: resolve(workspace.project, path), real })),
  )
})

const decide = (input: Input) =>
  Effect.gen(function* () {
    const { project } = yield* Workspace
    return yield* ListedRemoval.plan(yield* listOf(input), project, yield* cleanable)
  })

/** Where the decision of this task of this run is written down before anything is removed. */
const planPath = Effect.gen(function* () {
  const { idempotencyKey } = yield* Attempt
  return join((yield* Workspace).home, "cleanups", `${Sha256.of(idempotencyKey).slice(0, 32)}.json`)
})

const shown = (removal: ListedRemoval.Removal, reason: string) =>
  Effect.map(Workspace, ({ display }): Output => ({
    removed: removal.remove.map((file) => ({ ...file, path: display(file.path) })),
    left: removal.leave.map((file) => ({ ...file, path: display(file.path) })),
    bytes: removal.remove.reduce((sum, file) => sum + file.bytes, 0),
    reason,
  }))

/** Removes listed files. What will go is written down first, so that after a crash the probe knows what went. */
export default taskType({
  type: "cleanup",
  version: 1,
  description: "Removes the files that a manifest lists by digest, below the configured roots only",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "a file could not be read or written",
    PathRefused: "a path leads outside of the project",
    RemovalRefused: "what is listed may not be removed",
  },
  effects: "irreversible",
  config: ["storage"],
  dryRun: (input) =>
    Effect.gen(function* () {
      const { removed, left, bytes } = yield* shown(yield* decide(input), input.reason)
      return [
        `would remove ${removed.length} file(s), ${formatSize(bytes)}`,
        ...removed.map((file) => `  remove ${file.path}`),
        ...left.map((file) => `  leave ${file.path}: ${file.reason}`),
      ].join("\n")
    }),
  probe: (input) =>
    Effect.gen(function* () {
      const written = yield* ListedRemoval.readPlan(yield* planPath)
      if (Option.isNone(written) || !(yield* ListedRemoval.isDone(written.value))) return Option.none()
      return Option.some(yield* shown(written.value, input.reason))
    }),
  run: (input) =>
    Effect.gen(function* () {
      const path = yield* planPath
      const written = yield* ListedRemoval.readPlan(path)
      const removal = Option.isSome(written) ? written.value : yield* decide(input)
      if (Option.isNone(written)) yield* ListedRemoval.writePlan(path, removal)
      return yield* shown(yield* ListedRemoval.carryOut(removal), input.reason)
    }),
})

import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { DataClass } from "../../src/domain/data-retention.ts"
import { formatSize } from "../../src/domain/quantity.ts"
import { Attempt } from "../../src/services/attempt.ts"
import type { Plan } from "../../src/services/data-removal.ts"
import * as DataRetention from "../../src/services/data-retention.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as FileLock from "../../src/services/file-lock.ts"
import { Workspace } from "../../src/services/workspace.ts"

/** Why data goes, and whether it does. */
export const Input = Schema.Struct({
  reason: Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" })).annotate({
    description: "why it goes; it is recorded",
  }),
  purge: Schema.optionalKey(Schema.Boolean).annotate({ description: "default true; false only marks what is due" }),
}).annotate({ identifier: "DataPurgeInput" })
export type Input = typeof Input.Type

const Sized = { class: DataClass, path: Schema.String, bytes: Schema.Int }

/** What is gone, what is marked, what was ready and was left; sizes in bytes. No digest stands here: it would keep its bytes. */
export const Output = Schema.Struct({
  purged: Schema.Array(Schema.Struct(Sized)),
  due: Schema.Array(Schema.Struct({ ...Sized, from: Schema.String })).annotate({
    description: "marked; goes from then on",
  }),
  left: Schema.Array(Schema.Struct({ class: DataClass, path: Schema.String, why: Schema.String })).annotate({
    description: "was ready and was left",
  }),
  kept: Schema.Int.annotate({ description: "how many are kept" }),
  bytes: Schema.Int.annotate({ description: "bytes that were removed" }),
  unlisted: Schema.optionalKey(Schema.Int).annotate({
    description: "how many more there are than the lists say, which have at most 5000 entries each",
  }),
  doubt: Schema.optionalKey(Schema.String).annotate({
    description: "why nothing was looked at closer, and nothing went",
  }),
}).annotate({ identifier: "DataPurge" })
export type Output = typeof Output.Type

const longest = 5_000

const total = (all: ReadonlyArray<{ readonly bytes: number }>) => all.reduce((sum, { bytes }) => sum + bytes, 0)

const shown = Effect.fnUntraced(function* ({ due, going, kept, left }: Plan, doubt?: string) {
  const { display } = yield* Workspace
  const some = <A extends { readonly path: string }>(all: ReadonlyArray<A>) =>
    all.slice(0, longest).map((one) => ({ ...one, path: display(one.path) }))
  const unlisted = [due, going, left].reduce((sum, { length }) => sum + Math.max(0, length - longest), 0)
  return {
    purged: some(going),
    due: some(due).map((one) => ({ ...one, from: new Date(one.from).toISOString() })),
    left: some(left),
    kept,
    bytes: total(going),
    ...(unlisted === 0 ? {} : { unlisted }),
    ...(doubt === undefined ? {} : { doubt }),
  } satisfies Output
})

const run = Effect.fn("data-purge.run")(
  function* ({ purge = true }: Input) {
    const { home } = yield* Workspace
    const { idempotencyKey, log, note } = yield* Attempt
    // Marks and plans are one pass's at a time.
    yield* Durable.makeFolderDurably(join(home, "retention"))
    yield* FileLock.acquire(join(home, "retention", "lock"))
    const { doubt, odd, ...plan } = yield* DataRetention.apply(idempotencyKey, purge)
    const output = yield* shown(plan, doubt)
    if (doubt !== undefined) yield* log(`nothing goes: ${doubt}`)
    for (const { path, why } of [...odd, ...plan.left].slice(0, longest)) yield* log(`left ${path}: ${why}`)
    yield* note({ purged: plan.going.length, bytes: output.bytes, due: plan.due.length, left: plan.left.length })
    return output
  },
  (effect) => Effect.scoped(effect),
)

/** Marks data that is due by the retention section, and removes what was marked for as long as the grace says. */
export default taskType({
  type: "data-purge",
  version: 1,
  description:
    "Removes canonical partitions, features, raw files and snapshots that are older than the retention section keeps and that nothing names",
  input: Input,
  output: Output,
  errors: {
    DataRootRefused: "a root lies where something else could be removed from",
    EvidenceError: "the ledger cannot be read",
    FileFailed: "a file could not be read or written",
    LockBusy: "another pass is under way",
    LockFailed: "a lock could not be taken",
    PathRefused: "a root leads outside of what is configured",
  },
  effects: "irreversible",
  config: ["storage", "retention"],
  dryRun: ({ purge = true }) =>
    Effect.gen(function* () {
      const { doubt, odd, ...surveyed } = yield* DataRetention.survey()
      const plan = DataRetention.planOf({ ...surveyed, doubt, odd }, purge)
      const { bytes, due, purged } = yield* shown(plan)
      const { display } = yield* Workspace
      return [
        `would remove ${plan.going.length} entries, ${formatSize(bytes)}; ${plan.due.length} go later (${formatSize(total(plan.due))}), ${plan.kept} are kept`,
        ...(doubt === undefined ? [] : [`nothing goes: ${doubt}`]),
        ...purged.map((one) => `  remove ${one.class} ${one.path}, ${formatSize(one.bytes)}`),
        ...due.map((one) => `  from ${one.from} on ${one.class} ${one.path}, ${formatSize(one.bytes)}`),
        ...odd.slice(0, longest).map(({ path, why }) => `  leave ${display(path)}: ${why}`),
      ].join("\n")
    }),
  probe: () =>
    Effect.gen(function* () {
      const done = yield* DataRetention.doneBy((yield* Attempt).idempotencyKey)
      return Option.isNone(done) ? Option.none<Output>() : Option.some<Output>(yield* shown(done.value))
    }),
  run,
})

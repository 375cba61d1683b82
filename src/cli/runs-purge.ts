import * as Effect from "effect/Effect"
import { formatSize } from "../domain/quantity.ts"
import * as ArtifactRetention from "../ledger/artifact-retention.ts"
import * as Purge from "../ledger/purge.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { confirm } from "./confirm.ts"
import { exitCodes } from "./exit-code.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import * as Project from "./project.ts"
import * as RunChoice from "./run-choice.ts"

/** What a person says beside what is to go. */
export interface Given {
  readonly dryRun: boolean
  readonly yes: boolean
  readonly reason: string | undefined
}

/** A run as it is shown. */
interface Shown {
  readonly run: string
  readonly verdict: "due" | "kept" | "purged" | "begun"
  readonly bytes: number
  readonly pipeline?: string
  readonly status?: string
  readonly ended?: number
  /** Why it is kept, or by which rule it goes. */
  readonly why?: string
}

const within = <A, E, R>(use: (flags: Effect.Success<typeof Project.find>["flags"]) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { env, flags, home, project } = yield* Project.find
    const configuration = yield* SettingsFiles.load(project, env)
    return yield* Effect.provide(use(flags), Project.services({ project, home, configuration }))
  }).pipe(Effect.scoped)

const show = Effect.fnUntraced(function* (all: ReadonlyArray<Shown>, json: boolean) {
  if (json) {
    return yield* Effect.forEach(
      all,
      ({ ended, ...one }) => {
        const time = ended === undefined ? {} : { ended: new Date(ended).toISOString() }
        return Output.json({ v: 1, kind: "run-purge", ...one, ...time })
      },
      { discard: true },
    )
  }
  if (all.length > 0) yield* Output.data(rows(all).join("\n"))
})

const rows = (all: ReadonlyArray<Shown>) =>
  table([
    ["run", "pipeline", "", "size", ""],
    ...all.map(({ bytes, pipeline = "", run, verdict, why = "" }) => [
      run,
      pipeline,
      verdict,
      bytes === 0 ? "" : formatSize(bytes),
      plain(why),
    ]),
  ])

const size = (all: ReadonlyArray<{ readonly bytes: number }>) =>
  `${count(all.length, "run", "runs")}, ${formatSize(all.reduce((sum, { bytes }) => sum + bytes, 0))}`

/** Lets the artifacts follow that nothing names any more, and says so after what was said of the runs. */
const sweep = Effect.fnUntraced(function* (
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
  words: string,
) {
  const swept = yield* ArtifactRetention.sweep()
  if (json) return yield* Output.json({ v: 1, kind: "artifact-sweep", ...swept })
  if (quiet) return
  const { bytes, marked, removed, why } = swept
  const doubt = why === undefined ? [] : [`Artifacts are left as they are: ${why}.`]
  const gone =
    removed === 0
      ? []
      : [`${count(removed, "artifact", "artifacts")} that nothing names removed, ${formatSize(bytes)}.`]
  const later =
    marked === 0
      ? []
      : [`${count(marked, "artifact", "artifacts")} that nothing names ${marked === 1 ? "goes" : "go"} later.`]
  yield* Output.message([words, ...gone, ...later, ...doubt].join(" "))
})

/** A run that is to go, as it is shown. */
interface Going {
  readonly shown: Shown
  readonly because: Purge.Because
}

/** Purges what was shown to go, once somebody has agreed, and says what has gone and what was left after all. */
const carryOut = Effect.fnUntraced(function* (
  goes: ReadonlyArray<Going>,
  { dryRun, yes }: Given,
  { json, noInput, quiet }: { readonly json: boolean; readonly noInput: boolean; readonly quiet: boolean },
) {
  const facts = new Map(goes.map(({ shown }) => [shown.run, shown]))
  const total = size([...facts.values()])
  if (dryRun) return yield* quiet ? Effect.void : Output.message(`${total} would go. Nothing was changed.`)
  if (goes.length === 0) return yield* sweep({ json, quiet }, "No run goes.")
  const what = [...(json ? [] : rows([...facts.values()])), `${total}; their records do not come back.`].join("\n")
  const agreed = yield* confirm({ yes, noInput, what, question: "Purge them?" })
  if (!agreed) return yield* Output.message("Nothing was changed.")
  const asked = goes.map(({ because, shown }) => ({ run: shown.run, because }))
  const { left, purged } = yield* Purge.runs(asked)
  const of = (run: string): Shown => facts.get(run) ?? { run, verdict: "due", bytes: 0 }
  const gone = purged.map(({ bytes, run }): Shown => ({ ...of(run), verdict: "purged", bytes }))
  yield* show([...gone, ...left.map(({ run, why }): Shown => ({ ...of(run), verdict: "kept", why }))], json)
  yield* sweep({ json, quiet }, `${size(purged)} purged. The root keeps who did it and why.`)
  if (left.length > 0) yield* Output.exitWith(exitCodes.failed)
})

/** Purges runs that a person names, each unless something keeps it; `age` fits only the rules. */
export const purgeNamed = Effect.fnUntraced(function* (
  names: ReadonlyArray<string>,
  age: string | undefined,
  given: Given,
) {
  if (age !== undefined) {
    return yield* new Output.UsageError({
      reason: "--older-than is for the rules; a run that is named goes at any age",
    })
  }
  const { dryRun, reason } = given
  if (reason === undefined && !dryRun) {
    return yield* new Output.UsageError({ reason: "Say why, which stays in the ledger: --reason TEXT" })
  }
  yield* within((flags) =>
    Effect.gen(function* () {
      const runs = new Set(yield* Effect.forEach(names, (name) => RunChoice.choose(name)))
      const all = (yield* Purge.examine([...runs])).map(({ bytes, run, why }): Shown =>
        why === undefined ? { run, bytes, verdict: "due" } : { run, bytes, verdict: "kept", why },
      )
      const kept = all.filter(({ verdict }) => verdict === "kept")
      yield* show(dryRun ? all : kept, flags.json)
      const because = reason === undefined ? {} : { reason }
      const goes = all.flatMap((shown): ReadonlyArray<Going> => (shown.verdict === "due" ? [{ shown, because }] : []))
      yield* carryOut(goes, given, flags)
      if (kept.length > 0) yield* Output.exitWith(exitCodes.failed)
    }),
  )
})

/** Purges what the retention section lets go, or what is older than somebody says. */
export const purgeByRules = Effect.fnUntraced(function* (age: string | undefined, given: Given) {
  yield* within((flags) =>
    Effect.gen(function* () {
      const rules = yield* Purge.rules
      const { at_least } = rules
      const { all, begun } = yield* Purge.survey(age === undefined ? rules : { at_least, succeeded: age, others: age })
      const interrupted = begun.map((run): Going => {
        return { shown: { run, bytes: 0, verdict: "begun", why: "its purge was interrupted" }, because: {} }
      })
      const reason = given.reason === undefined ? {} : { reason: given.reason }
      const kept: Array<Shown> = []
      const due: Array<Going> = []
      for (const { bytes, ended, pipeline, run, status, verdict } of all) {
        const facts = { run, pipeline, status, ended, bytes }
        if (verdict.is === "kept") kept.push({ ...facts, verdict: "kept", why: verdict.why })
        else {
          const shown: Shown = { ...facts, verdict: "due", why: verdict.rule }
          due.push({ shown, because: { rule: verdict.rule, ...reason } })
        }
      }
      const goes = [...interrupted, ...due]
      if (given.dryRun) yield* show([...goes.map(({ shown }) => shown), ...kept], flags.json)
      yield* carryOut(goes, given, flags)
    }),
  )
})

import * as Effect from "effect/Effect"
import { formatSize } from "../domain/quantity.ts"
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

/** Purges what was shown to go, once somebody has agreed, and says what has gone and what was left after all. */
const carryOut = Effect.fnUntraced(function* (
  goes: ReadonlyArray<Shown & { readonly because: Purge.Because }>,
  { dryRun, yes }: Given,
  { json, noInput, quiet }: { readonly json: boolean; readonly noInput: boolean; readonly quiet: boolean },
) {
  if (dryRun || goes.length === 0) {
    const words = dryRun ? `${size(goes)} would go. Nothing was changed.` : "Nothing goes."
    return yield* quiet ? Effect.void : Output.message(words)
  }
  const what = [...(json ? [] : rows(goes)), `${size(goes)}; their records do not come back.`].join("\n")
  if (!(yield* confirm({ yes, noInput, what, question: "Purge them?" })))
    return yield* Output.message("Nothing was changed.")
  const { left, purged } = yield* Purge.runs(goes)
  const facts = new Map(goes.map(({ because: _, ...one }) => [one.run, one]))
  const said: ReadonlyArray<Shown> = [
    ...purged.map(({ bytes, run }): Shown => ({ ...(facts.get(run) as Shown), verdict: "purged", bytes })),
    ...left.map(({ run, why }): Shown => ({ ...(facts.get(run) as Shown), verdict: "kept", why })),
  ]
  yield* show(said, json)
  if (!quiet) yield* Output.message(`${size(purged)} purged. The root keeps who did it and why: dandori ledger verify`)
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
  const { reason } = given
  if (reason === undefined && !given.dryRun) {
    return yield* new Output.UsageError({ reason: "Say why, which stays in the ledger: --reason TEXT" })
  }
  yield* within((flags) =>
    Effect.gen(function* () {
      const runs = new Set(yield* Effect.forEach(names, (name) => RunChoice.choose(name)))
      const examined = yield* Purge.examine([...runs])
      const all = examined.map(({ bytes, run, why }): Shown =>
        why === undefined ? { run, bytes, verdict: "due" } : { run, bytes, verdict: "kept", why },
      )
      const goes = all.flatMap((one) =>
        one.verdict === "due" ? [{ ...one, because: reason === undefined ? {} : { reason } }] : [],
      )
      yield* show(given.dryRun ? all : all.filter(({ verdict }) => verdict === "kept"), flags.json)
      yield* carryOut(goes, given, flags)
      if (goes.length < all.length) yield* Output.exitWith(exitCodes.failed)
    }),
  )
})

/** Purges what the retention section lets go, or what is older than somebody says. */
export const purgeByRules = Effect.fnUntraced(function* (age: string | undefined, given: Given) {
  yield* within((flags) =>
    Effect.gen(function* () {
      const rules = yield* Purge.rules
      const asked = age === undefined ? rules : { ...rules, succeeded: age, others: age }
      const { all, begun } = yield* Purge.survey(asked)
      const shown = all.map(({ verdict, ...one }) => {
        const { bytes, ended, pipeline, run, status } = one
        const why = verdict.is === "kept" ? verdict.why : verdict.rule
        return { run, pipeline, status, ended, bytes, verdict: verdict.is, why } satisfies Shown
      })
      const because = given.reason === undefined ? {} : { reason: given.reason }
      const goes = [
        ...begun.map((run) => ({
          run,
          bytes: 0,
          verdict: "begun" as const,
          why: "its purge was interrupted",
          because: {},
        })),
        ...shown.flatMap((one) => (one.verdict === "due" ? [{ ...one, because: { rule: one.why, ...because } }] : [])),
      ]
      if (given.dryRun)
        yield* show(
          [...goes.map(({ because: _, ...one }) => one), ...shown.filter(({ verdict }) => verdict === "kept")],
          flags.json,
        )
      yield* carryOut(goes, given, flags)
    }),
  )
})

import * as Effect from "effect/Effect"
import retention from "../../pipelines/retention.yaml" with { type: "text" }
import { compileYaml } from "../compiler/compile.ts"
import * as Source from "../compiler/source.ts"
import { SubPipelines } from "../compiler/sub-pipeline.ts"
import { slotText } from "../domain/model.ts"
import type { Verdict } from "../domain/model-retention.ts"
import { formatSize } from "../domain/quantity.ts"
import * as ModelRetention from "../services/model-retention.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { confirm } from "./confirm.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import { count, plain, table } from "./plain-text.ts"
import * as Project from "./project.ts"
import { startRun } from "./run-pipeline.ts"

type Surveyed = Effect.Success<ReturnType<typeof ModelRetention.survey>>

const survey = Effect.gen(function* () {
  const { env, flags, home, project } = yield* Project.find
  const configuration = yield* SettingsFiles.load(project, env)
  const all = yield* ModelRetention.survey().pipe(Effect.provide(Project.services({ project, home, configuration })))
  return { all, flags }
})

const words = (verdict: Verdict): string => {
  if (verdict.is === "kept") return verdict.why
  if (verdict.is === "purged") return `at ${verdict.at}`
  if (verdict.is === "ready") return verdict.begun ? "its purge was interrupted and is finished" : "its files go now"
  return `${verdict.marked ? "its files go from" : "marked now, its files go from"} ${new Date(verdict.from).toISOString()} on`
}

const facts = ({ bytes, row, verdict }: Surveyed[number]) => {
  const { is, ...more } = verdict
  const { digest, registered, slot, status, version } = row
  const from = "from" in more ? { ...more, from: new Date(more.from).toISOString() } : more
  return {
    v: 1,
    kind: "model-retain",
    version,
    digest,
    slot: slotText(slot),
    status,
    registered,
    verdict: is,
    bytes,
    ...from,
  }
}

const goes = (all: Surveyed) => all.filter(({ verdict }) => verdict.is === "ready")

const sum = (all: Surveyed): string => {
  const ready = goes(all)
  const bytes = ready.reduce((total, one) => total + one.bytes, 0)
  return `${count(ready.length, "version loses its files", "versions lose their files")} now, ${formatSize(bytes)}`
}

const rows = (all: Surveyed) =>
  all.map(({ bytes, row, verdict }) => [
    row.version,
    slotText(row.slot),
    verdict.is,
    bytes === 0 ? "" : formatSize(bytes),
    plain(words(verdict)),
  ])

/** Lists what would go, with its bytes, and what is kept and why. Changes nothing. */
export const forecast = Effect.gen(function* () {
  const { all, flags } = yield* survey
  if (flags.json) return yield* Effect.forEach(all, (one) => Output.json(facts(one)), { discard: true })
  if (all.length === 0) return yield* Output.message("No model has been registered yet.")
  yield* Output.data(table([["version", "slot", "", "size", ""], ...rows(all)]).join("\n"))
  yield* Output.message(`${sum(all)}. Nothing was changed.`)
}).pipe(Effect.scoped)

/** The pipeline that ships, whatever the project has in its `pipelines/`. */
const plan = Effect.gen(function* () {
  const { project } = yield* Project.find
  const compiled = yield* compileYaml(Source.make("pipelines/retention.yaml", retention)).pipe(
    Effect.provideService(SubPipelines, {
      load: (id) => Effect.succeed({ _tag: "Unusable", reason: `There is no pipeline "${id}"`, diagnostics: [] }),
    }),
    Effect.provide(Catalog.layer(project)),
  )
  return compiled.plan
})

/**
 * Runs the retention of models as a run of its own, so that the ledger has its intents; asks first where files go. Only what
 * was shown goes: what becomes ready meanwhile waits for the next time.
 */
export const retain = Effect.fnUntraced(function* (yes: boolean, reason: string | undefined) {
  const { all, flags } = yield* survey
  const ready = goes(all)
  if (ready.length > 0) {
    const what = [...table(rows(ready)), `${sum(all)}; they do not come back.`].join("\n")
    const agreed = yield* confirm({ yes, noInput: flags.noInput, what, question: "Remove them?" })
    if (!agreed) return yield* Output.message("Nothing was changed.")
  }
  const compiled = yield* plan
  const asked = [
    "data=false",
    `purge=${ready.length > 0}`,
    `only=${JSON.stringify(ready.map(({ row }) => row.version))}`,
  ]
  const given = reason === undefined ? asked : [...asked, `reason=${reason}`]
  yield* startRun({ plan: compiled, params: yield* Params.resolve(compiled, given) }, false)
}, Effect.scoped)

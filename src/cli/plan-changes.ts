import { existsSync } from "node:fs"
import { extname, resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PlanDiff from "../compiler/plan-diff.ts"
import { type PlanSide } from "../compiler/plan-side.ts"
import * as Deployments from "../ledger/deployments.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as GitTree from "../services/git-tree.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import type { CompiledFile } from "../daemon/plan-sides.ts"
import * as Compiling from "./compiling.ts"
import * as ExitCode from "./exit-code.ts"
import * as OpenRuns from "../engine/open-runs.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as PlanSides from "../daemon/plan-sides.ts"
import * as FileSides from "./file-sides.ts"
import * as ProjectReaders from "./project-readers.ts"
import type { RecordedRun } from "../engine/recorded-run.ts"
import { dateTime } from "./render/duration.ts"
import { clean } from "./render/line.ts"
import * as Render from "./render/plan-diff.ts"
import { movedDates } from "./schedule-dates.ts"

/** The side that a pipeline is compared with and how a person calls it, or why there is none. */
interface Old {
  readonly side: PlanSide | undefined
  readonly name: string
}

/** What `--against` names: a way to find the older side of each pipeline. */
type Against =
  | { readonly kind: "deployed" }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "revision"; readonly revision: string }

/** What `--against` names, at hand. */
type Older =
  | { readonly kind: "deployed"; readonly deployed: ReadonlyMap<string, Deployments.Deployment> }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "revision"; readonly revision: FileSides.Revision }

const againstOf = (text: string): Against => {
  if (text === "deployed") return { kind: "deployed" }
  if (text.startsWith("git:")) return { kind: "revision", revision: text.slice("git:".length) }
  const file = resolve(process.cwd(), text)
  return existsSync(file) || [".yaml", ".yml", ".ts"].includes(extname(text))
    ? { kind: "file", file }
    : { kind: "revision", revision: text }
}

const oldOf = Effect.fnUntraced(function* (
  older: Older,
  { file, side }: PlanSides.FileSide,
  configuration: SettingsFiles.Configuration,
) {
  const { env, project } = yield* ProjectReaders.find
  if (older.kind === "file") {
    const name = shownPath(older.file)
    return { side: (yield* FileSides.ofFile(project, older.file, configuration)).side, name } satisfies Old
  }
  if (older.kind === "revision") {
    const old = yield* FileSides.ofRevision(project, env, older.revision, file)
    const name = `git revision ${older.revision.name}`
    return { side: old, name: old === undefined ? `${name} has no such file` : name } satisfies Old
  }
  const found = older.deployed.get(side.plan.id)
  if (found === undefined) return { side: undefined, name: `nothing is deployed in ${env}` } satisfies Old
  const name = `what ${clean(found.who)} deployed on ${dateTime(Date.parse(found.time))}`
  return { side: yield* PlanSides.ofDeployment(found), name } satisfies Old
})

/** A pipeline's scheduled dates are read from its plan's `schedule`. */
const exitOf = (diff: PlanDiff.PlanDiff): number => {
  if (diff.weaker.length > 0) return ExitCode.exitCodes.weaker
  return PlanDiff.isChange(diff) ? ExitCode.exitCodes.changes : ExitCode.exitCodes.ok
}

const tell = Effect.fnUntraced(function* (
  { file, side }: PlanSides.FileSide,
  old: Old,
  diff: PlanDiff.PlanDiff,
  open: ReadonlyArray<RecordedRun>,
) {
  const { env, flags } = yield* ProjectReaders.find
  const dates = movedDates(old.side?.plan.schedule, side.plan.schedule, yield* Clock.currentTimeMillis)
  const runs = open
    .filter(({ data }) => data?.pipeline === diff.pipeline && data.env === env && data.plan !== diff.to)
    .map(({ id, status, data }) => ({ run: id, status, plan: data?.plan }))
  if (flags.json) {
    const change = PlanDiff.isChange(diff)
    const where = { file: shownPath(file), against: old.name, env }
    return yield* Output.json({ v: 1, kind: "plan", ...where, change, exit: exitOf(diff), ...diff, dates, runs })
  }
  const on = Output.colours(process.stdout)
  const title = `${Output.bold(diff.pipeline, on)}  ${Output.dim(shownPath(file), on)}`
  const lines = Render.lines(diff, { dates, runs }, on)
  if (!PlanDiff.isChange(diff)) {
    return yield* Output.data([`${title}  no change from ${old.name}`, ...lines].join("\n"))
  }
  const head = `${title}  ${old.side === undefined ? "new:" : "compared with"} ${old.name}`
  yield* Output.data([head, ...lines, "", Render.sum(diff), ""].join("\n"))
})

const advise = Effect.fnUntraced(function* (diffs: ReadonlyArray<PlanDiff.PlanDiff>) {
  if (diffs.every(({ weaker }) => weaker.length === 0)) return
  const deploy = (yield* Hint.here).files('deploy … --accept-weaker "REASON"')
  yield* Output.message(`This weakens safeguards. To deploy it all the same: ${deploy}`)
})

const atHand = Effect.fnUntraced(function* (against: Against) {
  const { env, project } = yield* ProjectReaders.find
  if (against.kind === "deployed") {
    return { kind: "deployed", deployed: yield* Deployments.current(env) } satisfies Older
  }
  if (against.kind === "file") return against
  const tree = yield* GitTree.extract(project, against.revision)
  return { kind: "revision", revision: { name: against.revision, tree } } satisfies Older
})

/** The configuration as it is now: it can be read while the pipelines are being compiled. */
export const configurationNow = Effect.gen(function* () {
  const { env, project } = yield* ProjectReaders.find
  return yield* SettingsFiles.load(project, env)
})

/**
 * Compares pipelines (`all`: every one of `pipelines/`) with what is deployed, with a file or with a git revision; the exit
 * code says what was found.
 */
export const showChanges = Effect.fnUntraced(
  function* (
    files: ReadonlyArray<CompiledFile>,
    all: boolean,
    againstText: string,
    configuration: SettingsFiles.Configuration,
  ) {
    const { env, flags, home, project } = yield* ProjectReaders.find
    const against = againstOf(againstText)
    const compiled = yield* PlanSides.ofCompiled(project, files, configuration)
    if (compiled.length === 0) return yield* Output.message("pipelines/ has no pipeline yet.")
    if (against.kind === "file" && compiled.length > 1) {
      return yield* new Output.UsageError({ reason: "Only one pipeline can be compared with a file. Name one." })
    }
    yield* Effect.gen(function* () {
      const older = yield* atHand(against)
      const open = yield* OpenRuns.list(home)
      const diffs: Array<PlanDiff.PlanDiff> = []
      for (const one of compiled) {
        const old = yield* oldOf(older, one, configuration)
        const diff = PlanDiff.compare(old.side, one.side)
        diffs.push(diff)
        yield* tell(one, old, diff, open)
      }
      if (!flags.json && !flags.quiet) yield* advise(diffs)
      if (all && older.kind === "deployed" && !flags.quiet) {
        const gone = [...older.deployed.keys()].filter((id) => !compiled.some(({ side }) => side.plan.id === id))
        if (gone.length > 0) yield* Output.message(`Deployed, but no longer in pipelines/: ${gone.join(", ")}`)
      }
      yield* Output.exitWith(Math.max(...diffs.map(exitOf)))
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(ProjectReaders.ledger({ project, home, env }), ArtifactsDirectory.layer(`${home}/artifacts`)),
      ),
    )
  },
  (effect) =>
    Effect.flatMap(ProjectReaders.find, ({ env, project }) => Effect.provide(effect, Compiling.layer(project, env))),
)

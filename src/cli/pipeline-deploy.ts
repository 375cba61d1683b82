import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Deploy from "../daemon/deploy.ts"
import * as PlanSides from "../daemon/plan-sides.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import { compileAll } from "./compiled-files.ts"
import * as Compiling from "./compiling.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as Project from "./project.ts"
import { clean } from "./render/line.ts"
import * as Render from "./render/plan-diff.ts"

const twice = (compiled: ReadonlyArray<PlanSides.FileSide>): string | undefined => {
  const files = Map.groupBy(compiled, ({ side }) => side.plan.id)
  const found = [...files].find(([, same]) => same.length > 1)
  if (found === undefined) return undefined
  const [id, same] = found
  return `${same.map(({ file }) => shownPath(file)).join(" and ")} have the same id ${id}; name one of them.`
}

const refuse = Effect.fnUntraced(function* (weaker: ReadonlyArray<Deploy.Candidate>) {
  const { flags } = yield* Project.find
  for (const { compiled, diff } of weaker) {
    const { pipeline } = diff
    if (flags.json) {
      const file = shownPath(compiled.file)
      yield* Output.json({ v: 1, kind: "deployment", pipeline, file, deployed: false, weaker: diff.weaker })
      continue
    }
    const on = Output.colours(process.stderr)
    yield* Output.message(
      [`${pipeline} weakens safeguards:`, ...Render.weakerLines(diff.weaker, on).map((line) => `  ${line}`)].join("\n"),
    )
  }
  if (!flags.json) {
    const plan = (yield* Hint.here).files("plan")
    yield* Output.message(`Nothing was deployed. Look: ${plan}. To accept this: --accept-weaker "REASON"`)
  }
  yield* Output.exitWith(ExitCode.exitCodes.weaker)
})

const tell = Effect.fnUntraced(function* ({ compiled, diff }: Deploy.Candidate, deployed: boolean, reason?: string) {
  const { flags, env } = yield* Project.find
  if (flags.json) {
    return yield* Output.json({
      v: 1,
      kind: "deployment",
      pipeline: diff.pipeline,
      file: shownPath(compiled.file),
      env,
      deployed,
      plan: diff.to,
      ...(diff.from === undefined ? {} : { previous: diff.from }),
      ...(deployed && reason !== undefined && diff.weaker.length > 0 ? { weaker: diff.weaker, reason } : {}),
    })
  }
  const on = Output.colours(process.stdout)
  const title = Output.bold(diff.pipeline, on)
  if (!deployed) return yield* Output.data(`${title}  is deployed already, nothing changed  sha256:${diff.to}`)
  const what = diff.from === undefined ? "for the first time" : Render.sum(diff)
  yield* Output.data(`${title}  ${Output.green("deployed", on)} in ${env}, ${what}  sha256:${diff.to}`)
  if (diff.weaker.length > 0 && !flags.quiet) {
    yield* Output.message(`Accepted as weaker, because: ${clean(reason ?? "")}`)
  }
})

/**
 * Records pipelines as deployed, all or none: each compiles, and none weakens a safeguard unless that is accepted.
 */
export const deployFiles = Effect.fnUntraced(
  function* (names: ReadonlyArray<string>, reason: string | undefined) {
    const { env, home, project } = yield* Project.find
    const files = yield* compileAll(names)
    const configuration = yield* SettingsFiles.load(project, env)
    const compiled = yield* PlanSides.ofCompiled(project, files, configuration)
    const same = twice(compiled)
    if (same !== undefined) return yield* new Output.UsageError({ reason: same })
    yield* WorkspaceFiles.makeHome(home)
    const { candidates, deployed } = yield* Deploy.deploy(home, compiled, configuration, {
      ...(reason === undefined ? {} : { reason }),
      choose: (all) => (reason === undefined && all.some(({ diff }) => diff.weaker.length > 0) ? [] : all),
    }).pipe(
      Effect.provide(
        Layer.mergeAll(Project.ledgerLayer({ project, home, env }), ArtifactsDirectory.layer(`${home}/artifacts`)),
      ),
    )
    const weaker = candidates.filter(({ diff }) => diff.weaker.length > 0)
    if (weaker.length > 0 && reason === undefined) return yield* refuse(weaker)
    for (const one of candidates) yield* tell(one, deployed.includes(one), reason)
  },
  (effect) => Effect.flatMap(Project.find, ({ env, project }) => Effect.provide(effect, Compiling.layer(project, env))),
)

import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PlanDiff from "../compiler/plan-diff.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { EventData } from "../domain/event.ts"
import * as Checkpoint from "../ledger/checkpoint.ts"
import * as Deployments from "../ledger/deployments.ts"
import * as Root from "../ledger/root.ts"
import { Artifacts } from "../services/artifacts.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as FileLock from "../services/file-lock.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { compileAll } from "./compiled-files.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as PlanSides from "./plan-sides.ts"
import * as Project from "./project.ts"
import { clean } from "./render/line.ts"
import * as Render from "./render/plan-diff.ts"

type Deployed = EventData<"dev.dandori.pipeline.deployed.v1">

/** How long a deployment waits for another one, milliseconds. */
const patience = 30_000

/** A pipeline to deploy, and how it differs from what is deployed. */
interface Candidate {
  readonly compiled: PlanSides.FileSide
  readonly diff: PlanDiff.PlanDiff
  readonly before: Deployments.Deployment | undefined
}

/** What was deployed cannot be read any more, so nobody can tell what becomes weaker: that has to be accepted. */
const unreadable = ({ message }: { readonly message: string }) => ({
  rule: "unreadable",
  place: "what is deployed",
  why: `it cannot be compared: ${message}`,
})

const unread = (
  compiled: PlanSides.FileSide,
  before: Deployments.Deployment,
  error: { readonly message: string },
): Candidate => ({
  compiled,
  before,
  diff: { ...PlanDiff.compare(undefined, compiled.side), weaker: [unreadable(error)] },
})

const candidateOf = Effect.fnUntraced(function* (
  compiled: PlanSides.FileSide,
  before: Deployments.Deployment | undefined,
) {
  if (before === undefined) return { compiled, before, diff: PlanDiff.compare(undefined, compiled.side) }
  return yield* PlanSides.ofDeployment(before).pipe(
    Effect.map((old): Candidate => ({ compiled, before, diff: PlanDiff.compare(old, compiled.side) })),
    Effect.catchTags({
      ArtifactError: (error) => Effect.succeed(unread(compiled, before, error)),
      Missing: (error) => Effect.succeed(unread(compiled, before, error)),
    }),
  )
})

const twice = (compiled: ReadonlyArray<PlanSides.FileSide>): string | undefined => {
  const files = Map.groupBy(compiled, ({ side }) => side.plan.id)
  const found = [...files].find(([, same]) => same.length > 1)
  if (found === undefined) return undefined
  const [id, same] = found
  return `${same.map(({ file }) => shownPath(file)).join(" and ")} have the same id ${id}; name one of them.`
}

/** Stores the bytes that the deployment names, and gives its event. */
const prepare = Effect.fnUntraced(function* (
  { before, compiled: { bytes, side }, diff }: Candidate,
  configuration: SettingsFiles.Configuration,
  reason: string | undefined,
) {
  const artifacts = yield* Artifacts
  const planArtifact = yield* artifacts.put("plan.json", "application/json", CanonicalJson.encode(side.plan))
  const config = yield* artifacts.put("config.json", "application/json", SettingsFiles.resolved(configuration))
  const files = yield* Effect.forEach([...bytes], ([path, content]) =>
    artifacts.put(path, "application/octet-stream", content),
  )
  const accepted = diff.weaker.map(({ place, rule }) => `${rule}: ${place}`)
  return {
    pipeline: side.plan.id,
    env: configuration.env,
    plan: planArtifact.sha256,
    planArtifact,
    config,
    gates: [...side.gates],
    files,
    ...(before === undefined ? {} : { previous: before.data.plan }),
    ...(reason === undefined || accepted.length === 0 ? {} : { weaker: { reason, accepted } }),
  } satisfies Deployed
})

const refuse = Effect.fnUntraced(function* (weaker: ReadonlyArray<Candidate>) {
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
    yield* Output.message('Nothing was deployed. Look: dandori plan. To accept this: --accept-weaker "REASON"')
  }
  yield* Output.exitWith(ExitCode.exitCodes.weaker)
})

const tell = Effect.fnUntraced(function* ({ compiled, diff }: Candidate, deployed: boolean, reason?: string) {
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
 * Records pipelines as deployed, all or none: each compiles, and none weakens a safeguard unless that is accepted. The
 * comparison and the record happen under one lock, so that two deployments never start from the same one.
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
    yield* Effect.gen(function* () {
      yield* FileLock.acquireWithin(join(home, "deploy.lock"), patience)
      yield* Root.reconcile()
      const current = yield* Deployments.current(env)
      const candidates = yield* Effect.forEach(compiled, (one) => candidateOf(one, current.get(one.side.plan.id)))
      const weaker = candidates.filter(({ diff }) => diff.weaker.length > 0)
      if (weaker.length > 0 && reason === undefined) return yield* refuse(weaker)
      const changed = candidates.filter(({ diff }) => PlanDiff.isChange(diff))
      const events = yield* Effect.forEach(changed, (one) => prepare(one, configuration, reason))
      if (events.length > 0) {
        yield* Deployments.record(events)
        yield* Checkpoint.make()
      }
      for (const one of candidates) yield* tell(one, changed.includes(one), reason)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(Project.ledgerLayer({ project, home, env }), ArtifactsDirectory.layer(`${home}/artifacts`)),
      ),
    )
  },
  (effect) => Effect.flatMap(Project.find, ({ project }) => Effect.provide(effect, Catalog.layer(project))),
)

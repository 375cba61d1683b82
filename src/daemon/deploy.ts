import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as PlanDiff from "../compiler/plan-diff.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { EventData } from "../domain/event.ts"
import * as Checkpoint from "../ledger/checkpoint.ts"
import * as Deployments from "../ledger/deployments.ts"
import * as Root from "../ledger/root.ts"
import { Artifacts } from "../services/artifacts.ts"
import * as FileLock from "../services/file-lock.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as PlanSides from "./plan-sides.ts"

/** How long a deployment waits for another one, milliseconds. */
const patience = 30_000

type Deployed = EventData<"dev.dandori.pipeline.deployed.v1">

/** A pipeline to deploy, and how it differs from what is deployed. */
export interface Candidate {
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
      DeploymentUnreadable: (error) => Effect.succeed(unread(compiled, before, error)),
    }),
  )
})

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

/** What may be deployed of what was compared, and why it may though it weakens a safeguard. */
export interface Options {
  readonly reason?: string
  readonly choose: (candidates: ReadonlyArray<Candidate>) => ReadonlyArray<Candidate>
}

/**
 * Compares pipelines with what is deployed, and records those as deployed that are chosen and changed. The comparison and
 * the record happen under one lock of the project's home, so that two deployments never start from the same one.
 */
export const deploy = Effect.fn("Deploy.deploy")(function* (
  home: string,
  compiled: ReadonlyArray<PlanSides.FileSide>,
  configuration: SettingsFiles.Configuration,
  { choose, reason }: Options,
) {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      yield* FileLock.acquireWithin(join(home, "deploy.lock"), patience)
      yield* Root.reconcile()
      const current = yield* Deployments.current(configuration.env)
      const candidates = yield* Effect.forEach(compiled, (one) => candidateOf(one, current.get(one.side.plan.id)))
      const deployed = choose(candidates).filter(({ diff }) => PlanDiff.isChange(diff))
      const events = yield* Effect.forEach(deployed, (one) => prepare(one, configuration, reason))
      if (events.length > 0) {
        yield* Deployments.record(events)
        yield* Checkpoint.make()
      }
      return { candidates, deployed }
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { Event } from "../../src/domain/event.ts"
import type { PlanTask } from "../../src/domain/plan.ts"
import { holdsWord } from "../../src/ledger/unfinished-runs-ledger.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { UnfinishedRuns } from "../../src/services/unfinished-runs.ts"
import * as Project from "./fixtures/project.ts"

const version = "20250101_0304_0123abcd"
const started = (task: string, input: unknown): Event => ({
  type: "dev.dandori.attempt.started.v1",
  data: { task, attempt: 1, input },
})

const task = (id: string, type: string, given: PlanTask["with"] = {}): PlanTask => ({
  id,
  type,
  version: 1,
  effects: "idempotent",
  needs: [],
  with: given,
})

/** Writes a run of a plan with these tasks, which has not ended. */
const writePlanned = (
  run: string,
  tasks: ReadonlyArray<PlanTask>,
  given: { readonly params?: object; readonly events?: ReadonlyArray<Event> } = {},
) =>
  Effect.gen(function* () {
    const text = CanonicalJson.encode({ ...JSON.parse(Project.plan), tasks })
    const planArtifact = yield* (yield* Artifacts).put("plan.json", "application/json", text)
    const created = Project.created()
    const data = { ...created.data, plan: planArtifact.sha256, planArtifact, params: given.params ?? {} }
    yield* Project.writeRun(run, given.events ?? [], { open: true, first: { ...created, data } as Event })
  })

/** The runs, of those that have not ended, that name the version. */
const naming = Effect.flatMap(UnfinishedRuns, ({ list }) =>
  Effect.map(list(["model-purge"]), (runs) => runs.filter(({ names }) => names(version)).map(({ run }) => run)),
)

const inHome = <A, E>(
  body: (home: string) => Effect.Effect<A, E, Layer.Success<ReturnType<typeof Project.projectAt>>>,
) => Effect.scoped(Effect.flatMap(Project.folder, (home) => Effect.provide(body(home), Project.projectAt(home))))

describe("the runs that have not ended", () => {
  it.live("count with what they name in inputs and outputs, and no more when they have ended", () =>
    inHome(() =>
      Effect.gen(function* () {
        const [open, ended, other] = [Project.runId(1), Project.runId(2), Project.runId(3)]
        yield* Project.writeRun(open, [started("register", { model: { version } })], { open: true })
        yield* Project.writeRun(ended, [started("register", { model: { version } })])
        yield* Project.writeRun(other, [started("register", { model: { version: `${version}9` } })], { open: true })
        assert.deepStrictEqual(yield* naming, [open])
      }),
    ),
  )

  it.live("count with outputs that were too large for the ledger, also where these cannot be read", () =>
    inHome((home) =>
      Effect.gen(function* () {
        const run = Project.runId(1)
        const text = JSON.stringify({ rows: [{ version }] })
        const outputArtifact = yield* (yield* Artifacts).put("output.json", "application/json", text)
        const data = { task: "register", attempt: 1, outputArtifact }
        yield* Project.writeRun(run, [{ type: "dev.dandori.attempt.succeeded.v1", data }], { open: true })
        assert.deepStrictEqual(yield* naming, [run])
        yield* Effect.promise(() => Fs.rm(join(home, "artifacts"), { recursive: true }))
        assert.deepStrictEqual(yield* naming, [run])
      }),
    ),
  )

  it.live("count with what their plans give to tasks that have not begun", () =>
    inHome(() =>
      Effect.gen(function* () {
        const [waiting, purging] = [Project.runId(1), Project.runId(2)]
        yield* writePlanned(waiting, [task("register", "publish", { model: version })])
        yield* writePlanned(purging, [task("purge", "model-purge", { models: [version] })])
        assert.deepStrictEqual(yield* naming, [waiting])
      }),
    ),
  )

  it.live("count with their params, without those that only tasks of the types refer to", () =>
    inHome(() =>
      Effect.gen(function* () {
        const params = { only: [version] }
        const purge = task("purge", "model-purge", { models: "${{ params.only }}" })
        const [alone, other, whole, unused] = [1, 2, 3, 4].map(Project.runId) as [string, string, string, string]
        yield* writePlanned(alone, [purge, task("report", "notify", { text: "${{ run.id }}" })], { params })
        yield* writePlanned(other, [purge, { ...task("train", "train"), if: 'size(params["only"]) > 0' }], { params })
        yield* writePlanned(whole, [purge, task("train", "train", { text: "${{ json(params) }}" })], { params })
        yield* writePlanned(unused, [task("purge", "model-purge")], { params })
        assert.deepStrictEqual(yield* naming, [other, whole, unused])
      }),
    ),
  )

  it.live("count with the params of a sub-pipeline where a task of other types in it refers to them", () =>
    inHome(() =>
      Effect.gen(function* () {
        const group = {
          ...task("again", "pipeline", { only: "${{ params.only }}" }),
          pipeline: { params: { only: { default: [version] } }, outputs: {} },
        }
        const purge = task("again/purge", "model-purge", { models: "${{ params.only }}" })
        const train = task("again/train", "train", { models: "${{ params.only }}" })
        const params = { only: [version] }
        const entered: Event = { type: "dev.dandori.pipeline.entered.v1", data: { task: "again", params } }
        const [alone, both] = [Project.runId(1), Project.runId(2)]
        yield* writePlanned(alone, [group, purge], { params, events: [entered] })
        yield* writePlanned(both, [group, purge, train], { events: [entered] })
        assert.deepStrictEqual(yield* naming, [both])
      }),
    ),
  )

  it.live("name everything where their plans cannot be read", () =>
    inHome((home) =>
      Effect.gen(function* () {
        const [open, ended] = [Project.runId(1), Project.runId(2)]
        yield* Project.writeRun(open, [], { open: true })
        yield* Project.writeRun(ended, [])
        assert.deepStrictEqual(yield* naming, [])
        yield* Effect.promise(() => Fs.rm(join(home, "artifacts"), { recursive: true }))
        assert.deepStrictEqual(yield* naming, [open])
      }),
    ),
  )

  it("are asked for whole names", () => {
    assert.isTrue(holdsWord('{"version":"v1"}', "v1"))
    assert.isTrue(holdsWord("s3://models/v1/theta.yaml", "v1"))
    assert.isTrue(holdsWord("v10 v1.tar", "v1"))
    assert.isFalse(holdsWord("v10 xv1 v1b 0v1", "v1"))
  })
})

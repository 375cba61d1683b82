import { readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pause } from "../../src/services/process-groups.ts"
import { carrying, records } from "../services/processes-machine.fixture.ts"
import * as SampleProject from "../support/sample-project.ts"

/** Trainings one after the other; the data is too little for a model, which a training finds out soon. */
const sweep = `version: 1
id: sweep
tasks:
  seed:
    uses: seed
    with:
      symbols: [EURUSD, GBPUSD]
      timeframe: 1h
      months: { from: '2024-01', to: '2024-03' }
      expectations: samples/expectations.yaml
  dq:
    uses: dq
    with: { dataset: '\${{ tasks.seed.dataset }}', expectations: samples/expectations.yaml }
  train:
    matrix: { values: { seed: [1, 2, 3, 4] }, fail-fast: false, max-parallel: 1 }
    uses: train
    with: { dataset: '\${{ tasks.dq.dataset }}', seed: '\${{ matrix.seed }}' }
`

describe("a run with several trainings", () => {
  let project: SampleProject.SampleProject
  beforeAll(async () => {
    project = await SampleProject.make()
    await writeFile(join(project.folder, "pipelines/sweep.yaml"), sweep)
  })
  afterAll(() => SampleProject.remove(project))

  it.live("does them in one process, which is gone when the run has ended", () =>
    Effect.gen(function* () {
      const folder = join(project.home, "processes")
      const call = SampleProject.start(project, ["run", "pipelines/sweep.yaml", "--json"])
      let ended = false
      const pids = new Set<number>()
      const tasks = new Set<string>()
      const look = Effect.gen(function* () {
        while (!ended) {
          try {
            for (const name of records(folder)) {
              const { mark, pid } = JSON.parse(readFileSync(join(folder, name), "utf8"))
              pids.add(pid)
              if (mark !== undefined) tasks.add(mark.task)
            }
          } catch {
            // no record yet, or not any more
          }
          yield* pause(5)
        }
      })
      const [said] = yield* Effect.all(
        [
          Effect.map(
            Effect.promise(() => call.said),
            (all) => ((ended = true), all),
          ),
          look,
        ],
        { concurrency: "unbounded" },
      )
      const blocked = SampleProject.ndjson(said.out).filter(({ type }) => type === "dev.dandori.attempt.failed.v1")
      assert.strictEqual(blocked.length, 4, said.out + said.err)
      assert.strictEqual(pids.size, 1)
      assert.isAbove(tasks.size, 1)
      assert.deepStrictEqual(records(folder), [])
      assert.deepStrictEqual(carrying(project.folder), [])
    }),
  )
})

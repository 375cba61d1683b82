import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Project from "../../src/cli/project.ts"
import * as Pipelines from "../../src/daemon/pipelines.ts"
import { Surroundings } from "../../src/daemon/surroundings.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import { until } from "../cli/daemon-project.ts"
import { project as newProject } from "../cli/run-project.ts"

/** The pipelines of a project, and what is said of them. */
const place = Effect.gen(function* () {
  const project = yield* newProject
  const home = join(project, ".dandori")
  const configuration = yield* SettingsFiles.load(project, "dev")
  const said: Array<string> = []
  const say = (text: string) => Effect.sync(() => void said.push(text))
  const services = yield* Layer.build(
    Pipelines.layer.pipe(
      Layer.provide(Layer.mock(Surroundings)({ project, home, env: "dev", who: "tester", say })),
      Layer.provideMerge(Project.services({ project, home, configuration })),
    ),
  )
  const pipelines = Context.get(services, Pipelines.Pipelines)
  /** As if another process had taken the lock of deployments away, and gives it back. */
  const lock = join(home, "deploy.lock")
  const block = Effect.promise(async () => {
    await Fs.rm(lock, { force: true })
    await Fs.mkdir(lock)
  })
  const unblock = Effect.promise(() => Fs.rmdir(lock))
  return { block, pipelines, said, unblock }
})

describe("what keeps everything from being deployed", () => {
  it.live("is no problem any more when it has passed, though no file has changed", () =>
    Effect.gen(function* () {
      const { block, pipelines, said, unblock } = yield* place
      yield* pipelines.reload(true)
      assert.isUndefined(pipelines.problem())
      yield* block
      yield* pipelines.reload(true)
      const before = pipelines.problem()
      assert.isDefined(before)
      // It is looked for again, and each time it is the same one.
      yield* Effect.forEach(Array.from({ length: 3 }), () => Effect.delay(pipelines.reload(false), 1_000))
      assert.deepStrictEqual(pipelines.problem(), before)
      yield* unblock
      yield* until(Effect.map(pipelines.reload(false), () => (pipelines.problem() === undefined ? true : undefined)))
      assert.deepStrictEqual(
        said.filter((text) => !text.endsWith("is deployed anew")),
        [`Nothing is deployed: ${before.message}`, "What kept everything from being deployed is mended"],
      )
      assert.isFalse(yield* pipelines.reload(false))
    }),
  )

  it.live("is not known any more to a daemon that only takes up what is deployed", () =>
    Effect.gen(function* () {
      const { block, pipelines } = yield* place
      yield* block
      yield* pipelines.reload(true)
      assert.isDefined(pipelines.problem())
      yield* pipelines.recall
      assert.isUndefined(pipelines.problem())
    }),
  )
})

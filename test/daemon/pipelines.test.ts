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
  return { block, pipelines, project, said, unblock }
})

/** A pipeline whose file kills the process that compiles it, until there is a file where the daemon does not look. */
const killing = (path: string) => `import { existsSync } from "node:fs"
import { pipeline } from "dandori"
import { command } from "dandori/tasks"

if (!existsSync(${JSON.stringify(path)})) process.kill(process.pid, "SIGKILL")
export default pipeline("killing", {}, ({ task }) => {
  task("work", command, { argv: ["true"] })
})
`

describe("what keeps one pipeline from being deployed", () => {
  it.live("and may pass by itself is tried again, though no file has changed", () =>
    Effect.gen(function* () {
      const { pipelines, project, said } = yield* place
      const [file, ready] = [join(project, "pipelines/killing.ts"), join(project, "ready")]
      yield* Effect.promise(() => Fs.writeFile(file, killing(ready)))
      const using = "version: 1\nid: using\ntasks: { a: { uses: pipeline/killing } }\n"
      yield* Effect.promise(() => Fs.writeFile(join(project, "pipelines/using.yaml"), using))
      const of = (id: string) => pipelines.current().get(id)
      yield* pipelines.reload(true)
      const { broken } = of("killing") ?? {}
      assert.isDefined(broken)
      yield* Effect.forEach(Array.from({ length: 3 }), () => Effect.delay(pipelines.reload(false), 1_000))
      assert.deepStrictEqual(of("killing")?.broken, broken)
      yield* Effect.promise(() => Fs.writeFile(ready, ""))
      yield* until(Effect.map(pipelines.reload(false), () => of("killing")?.deployed))
      assert.isUndefined(of("killing")?.broken)
      // So is what uses it.
      assert.isUndefined(of("using")?.broken)
      assert.isDefined(of("using")?.deployed)
      const about = said.filter((text) => text.startsWith("pipelines/killing.ts"))
      assert.deepStrictEqual(about, [
        `pipelines/killing.ts: ${broken.message}`,
        "pipelines/killing.ts is in order again",
        "pipelines/killing.ts is deployed anew",
      ])
    }),
  )

  it.live("and is what a file says is left alone until something changes", () =>
    Effect.gen(function* () {
      const { pipelines, project } = yield* place
      yield* Effect.promise(() => Fs.writeFile(join(project, "pipelines/wrong.yaml"), "version: 1\nid: wrong\n"))
      yield* Effect.promise(() => Fs.writeFile(join(project, "pipelines/ending.ts"), "process.exit(3)\n"))
      yield* pipelines.reload(true)
      for (const id of ["wrong", "ending"]) assert.isDefined(pipelines.current().get(id)?.broken, id)
      assert.isFalse(yield* Effect.delay(pipelines.reload(false), 2_500))
    }),
  )
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

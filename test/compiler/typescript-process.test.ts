import { assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Source from "../../src/compiler/source.ts"
import { compileTypeScript } from "../../src/compiler/typescript.ts"
import * as CompileChild from "../../src/services/compile-child.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { compiled, head, project, told } from "./typescript-project.ts"

describe("a TypeScript pipeline", () => {
  it.live("that never ends is stopped when its time is over", () =>
    Effect.gen(function* () {
      const root = yield* project({ "loop.ts": "while (true) {}\n" })
      const file = join(root, "loop.ts")
      const error = yield* compileTypeScript(Source.make("loop.ts", ""), file, 700).pipe(
        Effect.provide(Catalog.layer(root)),
        Effect.flip,
      )
      assert.instanceOf(error, CompileChild.PipelineTooSlow)
      assert.match(error.message, /took longer than 700ms/)
    }).pipe(Effect.scoped),
  )

  it.live("that never ends is gone when the program that compiles it was killed", () =>
    Effect.gen(function* () {
      const root = yield* project({
        "configs/base/limits.yaml": "{}\n",
        "loop.ts": "console.error(process.pid); while (true) {}\n",
      })
      const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
      const program = Bun.spawn([process.execPath, main, "compile", "loop.ts"], {
        cwd: root,
        stdio: ["ignore", "ignore", "pipe"],
      })
      const { value } = yield* Effect.promise(() => program.stderr.getReader().read())
      const pid = Number(new TextDecoder().decode(value))
      assert.isAbove(pid, 0)
      program.kill("SIGKILL")
      const isThere = Effect.try({ try: () => process.kill(pid, 0), catch: () => false }).pipe(
        Effect.orElseSucceed(() => false),
      )
      yield* Effect.repeat(isThere, { while: (there) => there, schedule: Schedule.spaced(20) }).pipe(
        Effect.timeout("20 seconds"),
      )
    }).pipe(Effect.scoped),
  )

  it.effect("that ends the process is told as such", () =>
    Effect.gen(function* () {
      assert.match((yield* told("process.exit(3)\n"))[0], /could not be evaluated: its process ended with exit code 3/)
    }),
  )

  it.effect("may be large: thousands of tasks come through the pipe", () =>
    Effect.gen(function* () {
      const { plan } = yield* compiled({
        "pipelines/p.ts": `${head}export default pipeline("p", {}, ({ task }) => {
  let last = task("t0", command, { argv: ["x"] })
  for (let i = 1; i < 2000; i++) last = task("t" + i, command, { argv: ["x".repeat(200), last.stdout] })
})
`,
      })
      assert.lengthOf(plan.tasks, 2000)
      assert.strictEqual(plan.tasks[1999].id, "t1999")
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { edit, guarded, project, write } from "./guarded-project.ts"
import { onTerminal } from "./run-project.ts"

describe("dandori plan", () => {
  it.effect("writes nothing, and calls everything new where nothing is deployed", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 2)
      assert.match(out, /^guarded {2}pipelines\/guarded\.yaml {2}new: nothing is deployed in dev\n/)
      assert.match(out, /\+ check \(dq-file\)\n/)
      assert.notInclude(out, "\u001b[")
      assert.isFalse(
        yield* Effect.promise(() =>
          Fs.stat(join(folder, ".dandori")).then(
            () => true,
            () => false,
          ),
        ),
      )
    }),
  )

  it.effect("shows tasks, caches and configuration as they change, with 2", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      assert.strictEqual((yield* dandori(folder, "plan", "guarded")).code, 0)
      yield* edit(folder, "pipelines/guarded.yaml", "timeout: 1m", "timeout: 90s")
      yield* edit(folder, "pipelines/guarded.yaml", "heartbeat: 30s", "heartbeat: 45s")
      yield* edit(folder, "bars.yaml", "min_rows: 2", "min_rows: 3")
      yield* edit(folder, "configs/base/dq.yaml", "outlier_sigma: 8", "outlier_sigma: 7")
      const { code, out } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 2)
      assert.match(out, /Tasks\n {2}~ tell \(command\)\n {6}~ heartbeat: 30s → 45s\n {6}~ timeout: 1m → 1m30s\n/)
      assert.match(out, /Configuration\n {2}~ dq\.checks\.outlier_sigma: 8 → 7\n/)
      assert.match(out, /Files\n {2}~ bars\.yaml: min_rows: 2 → 3\n/)
      assert.match(out, /Caches that go stale\n {2}check {2}the configuration's dq changed\n/)
      assert.notInclude(out, "Weaker")
    }),
  )

  it.effect("shows the first thousand tasks of a large new pipeline, and all of them to machines", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const loop = `for (let i = 0; i < 1203; i++) task(\`t${"$"}{i}\`, command, { argv: ["echo", String(i)] })`
      const head = 'import { pipeline } from "dandori"\nimport { command } from "dandori/tasks"\n'
      yield* write(
        folder,
        "pipelines/large.ts",
        `${head}export default pipeline("large", {}, ({ task }) => { ${loop} })\n`,
      )
      const { out } = yield* dandori(folder, "plan", "large")
      assert.lengthOf(out.match(/^ {2}\+ t\d+ \(command\)$/gm) ?? [], 1_000)
      assert.match(out, /\n {2}\+ 203 more tasks \(--json lists them\)\n\n1,?203 tasks added\n/)
      const [all] = ndjson((yield* dandori(folder, "plan", "large", "--json")).out)
      const tasks = all.tasks as ReadonlyArray<object>
      assert.lengthOf(tasks, 1_203)
      assert.deepInclude(tasks[1_202], { change: "added", type: "command" })
    }),
  )

  it.effect("of a comment or another order of keys sees nothing", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      yield* edit(folder, "pipelines/guarded.yaml", "tasks:", "# the gate first\ntasks:")
      yield* edit(folder, "bars.yaml", "{ check: ordered, severity: error }", "{ severity: error, check: ordered } # !")
      const { code, out } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^guarded .* no change from what .* deployed on /)
    }),
  )

  it.effect("answers 3 for a gate that is gone, over the changes of other pipelines", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "good", "guarded")
      yield* edit(folder, "pipelines/good.yaml", "say: hello", "say: hi")
      yield* write(
        folder,
        "pipelines/guarded.yaml",
        guarded.replace(/ {2}check.*\n/, "").replace("needs: [check], ", ""),
      )
      const { code, err, out } = yield* dandori(folder, "plan", "good", "guarded")
      assert.strictEqual(code, 3)
      assert.match(out, /Weaker safeguards\n {2}! tasks\.check: "dq-file" {2}\(the gate is gone\)\n/)
      assert.include(err, "--accept-weaker")
    }),
  )

  it.effect("prints one JSON value for each pipeline and nothing else", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      yield* edit(folder, "bars.yaml", "min_rows: 2", "min_rows: 1")
      const { code, err, out } = yield* dandori(folder, "plan", "guarded", "good", "--json")
      const [guardedLine, goodLine, ...more] = ndjson(out)
      assert.strictEqual(code, 3)
      assert.strictEqual(err, "")
      assert.lengthOf(more, 0)
      assert.deepInclude(guardedLine, { v: 1, kind: "plan", pipeline: "guarded", change: true, exit: 3 })
      assert.deepStrictEqual(guardedLine?.weaker, [
        {
          rule: "expectations",
          why: "the gate expects less of the data",
          place: "bars.yaml: min_rows",
          old: 2,
          new: 1,
        },
      ])
      assert.deepInclude(goodLine, { pipeline: "good", change: true, exit: 2 })
    }),
  )

  it.effect(
    "names runs that go on with the plan that they started with, while they run and when they are interrupted",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => start(folder, ["run", "hanging"])),
          (started) => Effect.sync(() => started.kill("SIGKILL")),
        )
        yield* Effect.promise(async () => {
          let heard = ""
          for await (const bytes of child.stderr) {
            heard += new TextDecoder().decode(bytes)
            if (/hanging +started/.test(heard)) break
          }
        })
        yield* edit(folder, "pipelines/hanging.yaml", "say: never", "say: ever")
        const running = yield* dandori(folder, "plan", "hanging")
        const [run] = ndjson((yield* dandori(folder, "runs", "list", "--json")).out).map((each) => String(each.run))
        const title = "Runs that go on with the plan that they started with"
        assert.match(running.out, new RegExp(`${title}\\n {2}${run} {2}running\\n`))
        child.kill("SIGKILL")
        yield* Effect.promise(() => child.exited)
        const interrupted = yield* dandori(folder, "plan", "hanging")
        assert.match(interrupted.out, new RegExp(`${title}\\n {2}${run} {2}interrupted\\n`))
        const other = yield* dandori(folder, "plan", "good")
        assert.notInclude(other.out, title)
      }),
  )

  it.effect("compares two files, and colours them on a terminal", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "old pipeline.yaml", guarded)
      yield* edit(folder, "pipelines/guarded.yaml", "told", "heard")
      const { code, out } = yield* dandori(folder, "plan", "guarded", "--against", "old pipeline.yaml")
      assert.strictEqual(code, 2)
      assert.include(out, 'with.argv[1]: "told" → "heard"')
      const shown = yield* onTerminal(folder, ["plan", "guarded", "--against", "old pipeline.yaml"])
      assert.strictEqual(shown.code, 2)
      assert.include(shown.screen, "\u001b[33m~\u001b[0m")
    }),
  )

  it.effect("ends with 65 and the place when a pipeline does not compile, and with 66 when a file is not there", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* edit(folder, "pipelines/guarded.yaml", "uses: command", "uses: comand")
      const { code, err } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 65)
      assert.include(err, 'There is no task type "comand". Did you mean "command"?')
      const missing = yield* dandori(folder, "plan", "good", "--against", "no.yaml")
      assert.strictEqual(missing.code, 66)
      assert.match(missing.err, /^No pipeline at .*no\.yaml: there is no such file\n$/)
    }),
  )
})

import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { onTerminal, project } from "./run-project.ts"

const lastRun = (folder: string) =>
  Effect.map(dandori(folder, "runs", "list", "--json", "--limit", "1"), ({ out }) => ndjson(out)[0])

describe("dandori run", () => {
  it.effect("tells each event on a line of its own and sums up on standard output", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, err, out } = yield* dandori(folder, "run", "good")
      assert.strictEqual(code, 0)
      assert.match(err, /^\d\d:\d\d:\d\d good    2 tasks\n/)
      assert.match(err, /\d\d:\d\d:\d\d first   started\n\d\d:\d\d:\d\d first   succeeded in /)
      assert.match(out, /^good succeeded in .*  run [0-9a-f-]{36}\n/)
      assert.include(out, "the stage is small")
      assert.include(out, "SYNTHETIC DATA")
      assert.notInclude(out + err, "\u001b[")
    }),
  )

  it.effect("says what failed, in the words of the error, and where to look", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "run", "bad")
      assert.strictEqual(code, 1)
      assert.match(out, /^bad failed after /)
      assert.match(out, /broken failed \(CommandFailed\)\n +sh ended with exit code 3:\n +no such bank\n/)
      assert.match(out, /after +skipped +a task that it needs did not succeed/)
      assert.match(out, /dandori runs logs [0-9a-f-]{36} broken/)
    }),
  )

  it.effect("with --quiet says nothing on the way and one line at the end", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { err, out } = yield* dandori(folder, "run", "good", "--quiet")
      assert.strictEqual(err, "")
      assert.match(out, /^good succeeded in [^\n]*\n$/)
    }),
  )

  it.effect("with --json prints versioned events and the result, and nothing else", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { err, out } = yield* dandori(folder, "run", "good", "--json")
      const lines = ndjson(out)
      assert.strictEqual(err, "")
      assert.isTrue(lines.every(({ v }) => v === 1))
      assert.strictEqual(lines[0]?.type, "dev.dandori.run.created.v1")
      assert.deepInclude(lines.at(-1), { kind: "result", pipeline: "good", status: "succeeded" })
      assert.strictEqual(lines.at(-2)?.type, "dev.dandori.run.finished.v1")
    }),
  )

  it.effect("goes on to its end when the reader of its output has gone", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const child = start(folder, ["run", "good", "--json"])
      yield* Effect.promise(() => child.stdout.cancel())
      assert.strictEqual(yield* Effect.promise(() => child.exited), 0)
      assert.deepInclude(yield* lastRun(folder), { status: "succeeded" })
    }),
  )

  it.effect("names the run that a cached output comes from", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "run", "cached")
      const { run } = yield* lastRun(folder)
      const { err, out } = yield* dandori(folder, "run", "cached")
      assert.include(err, `kept    cached: from run ${String(run)}`)
      assert.match(out, new RegExp(`kept +succeeded +cached +from run ${String(run)}`))
    }),
  )

  it.effect("shows tries, their waits and their errors", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, err, out } = yield* dandori(folder, "run", "flaky")
      assert.strictEqual(code, 0)
      assert.match(err, /flaky  failed in .*: the bank does not answer ask it again\n/)
      assert.match(err, /flaky  will be tried again in 1 ms\n.*flaky  started, attempt 2\n/)
      assert.match(out, /flaky +succeeded +2 attempts/)
    }),
  )
})

describe("dandori run on a terminal", () => {
  it.effect("draws the tasks and leaves the last picture above the summary", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, screen } = yield* onTerminal(folder, ["run", "good"])
      assert.strictEqual(code, 0)
      const lines = Bun.stripANSI(screen).split(/\r?\n/)
      assert.isTrue(lines.some((line) => /^✓ first +\d/.test(line)))
      assert.isTrue(lines.some((line) => line.startsWith("good succeeded in ")))
    }),
  )

  it.effect("Ctrl-C cancels the run: exit code 130, and the ledger says who asked", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, screen } = yield* onTerminal(folder, ["run", "hanging"], ["hanging about"])
      assert.strictEqual(code, 130)
      assert.include(screen, "Ctrl-C again skips it")
      const { run } = yield* lastRun(folder)
      const { out } = yield* dandori(folder, "ledger", "show", String(run), "--json")
      assert.include(out, "dev.dandori.cancel.requested.v1")
      const shown = yield* dandori(folder, "runs", "show", String(run))
      assert.match(shown.out, /^hanging was cancelled after .*\(Ctrl-C\)/)
      assert.match(shown.out, /later +cancelled/)
    }),
  )

  it.effect("a second Ctrl-C ends children that ignore the first", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, screen } = yield* onTerminal(folder, ["run", "stubborn"], ["holding on", "Ctrl-C again skips it"])
      assert.strictEqual(code, 130)
      assert.include(screen, "child processes are killed")
    }),
  )
})

describe("dandori runs", () => {
  it.effect("lists the newest runs first and names an interrupted one with how to go on", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const empty = yield* dandori(folder, "runs", "list")
      assert.deepInclude(empty, { code: 0, out: "" })
      yield* dandori(folder, "run", "bad")
      const child = start(folder, ["run", "hanging", "--json"])
      const reader = child.stdout.getReader()
      const decoder = new TextDecoder()
      let seen = ""
      while (!seen.includes("attempt.started")) {
        const { value } = yield* Effect.promise(() => reader.read())
        seen += decoder.decode(value)
      }
      assert.deepInclude(yield* lastRun(folder), { pipeline: "hanging", status: "running" })
      child.kill("SIGKILL")
      yield* Effect.promise(() => child.exited)
      const listed = yield* dandori(folder, "runs", "list")
      const [, newest, oldest] = listed.out.split("\n")
      assert.match(newest ?? "", /hanging +interrupted/)
      assert.match(oldest ?? "", /bad +failed/)
      const { run } = yield* lastRun(folder)
      assert.include(listed.err, `dandori runs resume ${String(run)}`)
      const shown = yield* dandori(folder, "runs", "show", String(run))
      assert.match(shown.out, /^hanging was interrupted after /)
      assert.include(shown.out, `dandori runs resume ${String(run)}`)
    }),
  )

  it.effect("finds a run by the end of its id, and says when there is none", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "run", "good")
      const run = String((yield* lastRun(folder)).run)
      const { code, out } = yield* dandori(folder, "runs", "show", run.slice(-8), "--json")
      assert.strictEqual(code, 0)
      const [shown] = ndjson(out)
      assert.deepInclude(shown, { run, status: "succeeded" })
      const missing = yield* dandori(folder, "runs", "show", "ffffffff")
      assert.strictEqual(missing.code, 66)
      assert.include(missing.err, "dandori runs list")
    }),
  )

  it.effect("prints what a task logged, byte for byte, and names the tasks there are", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "run", "good")
      const run = String((yield* lastRun(folder)).run)
      assert.strictEqual((yield* dandori(folder, "runs", "logs", run, "second")).out, "one\n\u001b[31mtwo\u001b[0m\n")
      const shown = yield* onTerminal(folder, ["runs", "logs", run, "second"])
      assert.strictEqual(shown.screen, "one\r\ntwo\r\n")
      const wrong = yield* dandori(folder, "runs", "logs", run, "secnd")
      assert.strictEqual(wrong.code, 66)
      assert.include(wrong.err, 'Did you mean "second"?')
      const attempt = yield* dandori(folder, "runs", "logs", run, "second", "--attempt", "7")
      assert.strictEqual(attempt.code, 66)
    }),
  )
})

describe("authoring commands", () => {
  it.effect("validate shows all mistakes of all files and ends with 65", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* Effect.promise(() =>
        Bun.write(
          join(folder, "pipelines/wrong.yaml"),
          "version: 1\nid: wrong\ntasks:\n  a: { uses: actr }\n  b: { uses: command }\n",
        ),
      )
      const { code, err, out } = yield* dandori(folder, "validate", "good", "wrong")
      assert.strictEqual(code, 65)
      assert.match(out, /^ok  pipelines\/good\.yaml  good, 2 tasks\n$/)
      assert.match(err, /pipelines\/wrong\.yaml:4:/)
      assert.match(err, /pipelines\/wrong\.yaml:5:/)
      const json = ndjson((yield* dandori(folder, "validate", "good", "wrong", "--json")).out)
      assert.deepEqual(
        json.map(({ ok }) => ok),
        [true, false],
      )
    }),
  )

  it.effect("compile prints the plan whose bytes have the digest that it names", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { err, out } = yield* dandori(folder, "compile", "good")
      const digest = new Bun.CryptoHasher("sha256").update(out.trimEnd()).digest("hex")
      assert.strictEqual(err, `sha256:${digest}\n`)
      assert.strictEqual((yield* dandori(folder, "compile", "good", "--digest")).out, `${digest}\n`)
    }),
  )

  it.effect("graph draws in three formats, schema knows the project's task types", () =>
    Effect.gen(function* () {
      const folder = yield* project
      assert.include((yield* dandori(folder, "graph", "good")).out, "second")
      assert.include((yield* dandori(folder, "graph", "good", "--format", "dot")).out, "digraph")
      assert.match((yield* dandori(folder, "graph", "good", "--format", "mermaid")).out, /^(flowchart|graph) /)
      const { out } = yield* dandori(folder, "schema")
      assert.include(out, '"actor"')
      const written = yield* dandori(folder, "schema", "--out", "schema/pipeline.schema.json")
      assert.strictEqual(written.code, 0)
      const text = yield* Effect.promise(() => Bun.file(join(folder, "schema/pipeline.schema.json")).text())
      assert.strictEqual(text, out)
    }),
  )

  it.effect("completion prints scripts that their shell can parse", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { out } = yield* dandori(folder, "completion", "bash")
      assert.include(out, "validate")
      const bash = Bun.spawn(["bash", "-n"], { stdin: new Blob([out]) })
      assert.strictEqual(yield* Effect.promise(() => bash.exited), 0)
      for (const shell of ["zsh", "fish"])
        assert.include((yield* dandori(folder, "completion", shell)).out, "completion")
    }),
  )
})

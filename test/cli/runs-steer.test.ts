import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { project } from "./run-project.ts"

/** The id of a run that was just started, once its first attempt goes on; and the child to its end. */
const goingOn = (folder: string, pipeline: string) =>
  Effect.promise(async () => {
    const child = start(folder, ["run", pipeline, "--json"])
    const reader = child.stdout.getReader()
    const decoder = new TextDecoder()
    let text = ""
    while (!text.includes("attempt.started")) {
      const { done, value } = await reader.read()
      if (done) throw new Error(`it ended early: ${text}`)
      text += decoder.decode(value, { stream: true })
    }
    const rest = async () => {
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value)
      return { code: await child.exited, lines: ndjson(text), err: await new Response(child.stderr).text() }
    }
    return { run: String(ndjson(text.slice(0, text.lastIndexOf("\n")))[0].run), end: rest(), child }
  })

describe("a run that another process drives", () => {
  it.effect("is watched to its end, and cancelled from outside", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { end, run } = yield* goingOn(folder, "hanging")
      const watching = start(folder, ["runs", "watch", run])
      const cancelled = yield* dandori(folder, "runs", "cancel", run, "--reason", "enough", "--json")
      assert.strictEqual(cancelled.code, 0, cancelled.err)
      const { code, lines } = yield* Effect.promise(() => end)
      assert.strictEqual(code, 130)
      assert.deepInclude(lines.at(-1), { kind: "result", run, status: "cancelled" })
      const watched = yield* Effect.promise(async () => ({
        code: await watching.exited,
        out: await new Response(watching.stdout).text(),
      }))
      assert.strictEqual(watched.code, 130)
      assert.match(watched.out, /^hanging was cancelled after /)
      const again = yield* dandori(folder, "runs", "cancel", run)
      assert.strictEqual(again.code, 64)
      assert.match(again.err, /has ended|has been closed|is over/i)
    }),
  )
})

describe("a reader that has stopped reading", () => {
  it.effect("holds up no run", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const say = "x".repeat(30_000)
      const tasks = [1, 2, 3, 4, 5, 6].map((n) => `  t${n}: { uses: actor, with: { say: ${say} } }\n`)
      const loud = `version: 1\nid: loud\ntasks:\n${tasks.join("")}`
      yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/loud.yaml"), loud))
      const main = join(import.meta.dirname, "../../src/cli/main.ts")
      const script = '"$0" "$1" run loud --json | exec sleep 600'
      const shell = Bun.spawn(["sh", "-c", script, process.execPath, main], { cwd: folder })
      const succeeded = ({ out }: { readonly out: string }) => out.includes('"succeeded"')
      yield* Effect.repeat(dandori(folder, "runs", "list", "--json"), { until: succeeded })
      yield* Effect.promise(() => Bun.$`pkill -P ${shell.pid}`.quiet())
      yield* Effect.promise(() => shell.exited)
    }),
  )
})

describe("SIGTERM", () => {
  it.effect("says that tasks get their grace, and a second one skips it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const child = start(folder, ["run", "stubborn"])
      const logs = join(folder, ".dandori/logs")
      const isHolding = Effect.promise(async () => {
        const files = await Fs.readdir(logs, { recursive: true }).catch(() => [])
        const texts = await Promise.all(files.map((file) => Fs.readFile(join(logs, file), "utf8").catch(() => "")))
        return texts.join("").includes("holding on")
      })
      yield* Effect.repeat(isHolding, { until: (holding) => holding })
      yield* Effect.promise(async () => {
        const reader = child.stderr.getReader()
        let text = ""
        const heard = async (word: string) => {
          while (!text.includes(word)) text += new TextDecoder().decode((await reader.read()).value)
        }
        child.kill("SIGTERM")
        child.kill("SIGTERM")
        await heard("Stopping: tasks get their grace")
        assert.notInclude(text, "Skipping")
        const impatient = setInterval(() => child.kill("SIGTERM"), 50)
        await heard("Skipping the grace")
        clearInterval(impatient)
        await heard("dandori runs resume")
        assert.strictEqual(await child.exited, 143)
      })
    }),
  )
})

describe("a request to a run whose process is stopped", () => {
  it.effect("says that it waits, and is taken back by Ctrl-C", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { child, end, run } = yield* goingOn(folder, "hanging")
      child.kill("SIGSTOP")
      const asking = start(folder, ["runs", "cancel", run])
      yield* Effect.promise(async () => {
        const reader = asking.stderr.getReader()
        let text = ""
        while (!text.includes("has not answered yet")) text += new TextDecoder().decode((await reader.read()).value)
        reader.releaseLock()
        asking.kill("SIGINT")
        assert.strictEqual(await asking.exited, 130)
      })
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(folder, ".dandori/inbox", run))), [])
      child.kill("SIGCONT")
      child.kill("SIGTERM")
      const { code, err } = yield* Effect.promise(() => end)
      assert.strictEqual(code, 143)
      assert.include(err, `dandori runs resume ${run}`)
    }),
  )
})

describe("a cordon on the command line", () => {
  it.effect("is raised, seen and lifted, and stands in the ledger; a run waits for it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const check = (...more: ReadonlyArray<string>) => dandori(folder, "cordon", "check", ...more)
      assert.strictEqual((yield* check()).code, 0)
      const raised = yield* dandori(
        folder,
        "cordon",
        "raise",
        "ir-1",
        "--reason",
        "the disk is full",
        "--pipeline",
        "good",
      )
      assert.strictEqual(raised.code, 0, raised.err)
      const seen = yield* check("good")
      assert.strictEqual(seen.code, 75)
      assert.match(seen.out, /ir-1 {2}raised .* the disk is full\n {2}only good/)
      assert.strictEqual((yield* check("bad")).code, 0)
      const other = yield* dandori(folder, "run", "cached", "--quiet")
      assert.strictEqual(other.code, 0)
      const held = start(folder, ["run", "good", "--json"])
      const waiting = start(folder, ["cordon", "check", "good", "--wait"])
      yield* Effect.promise(async () => {
        const reader = held.stdout.getReader()
        let text = ""
        while (!text.includes("run.held")) text += new TextDecoder().decode((await reader.read()).value)
        assert.notInclude(text, "attempt.started")
        reader.releaseLock()
      })
      const [listed] = ndjson((yield* dandori(folder, "runs", "list", "--json", "--limit", "1")).out)
      const shown = yield* dandori(folder, "runs", "show", String(listed?.run))
      assert.match(shown.out, /\n {2}held +by cordon ir-1: the disk is full\n/)
      const told = yield* dandori(folder, "runs", "show", String(listed?.run), "--json")
      assert.deepInclude(ndjson(told.out)[0], { held: { cordon: "ir-1", reason: "the disk is full" } })
      const lifted = yield* dandori(folder, "cordon", "lift", "ir-1", "--reason", "cleaned up")
      assert.strictEqual(lifted.code, 0, lifted.err)
      assert.strictEqual(yield* Effect.promise(() => waiting.exited), 0)
      assert.strictEqual(yield* Effect.promise(() => held.exited), 0)
      assert.notInclude((yield* dandori(folder, "runs", "show", String(listed?.run))).out, "held")
      const system = yield* dandori(folder, "ledger", "show", "system", "--json")
      const types = ndjson(system.out).map(({ type }) => String(type))
      assert.includeMembers(types, ["dev.dandori.cordon.raised.v1", "dev.dandori.cordon.lifted.v1"])
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.effect("that cannot be is refused with a word about what would do", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const raise = (...more: ReadonlyArray<string>) =>
        dandori(folder, "cordon", "raise", "ir-1", "--reason", "fire", ...more)
      for (const [flags, word] of [
        [["--pipeline", "No Pipeline"], /--pipeline "No Pipeline" is no id of a pipeline/],
        [["--expires", "99999999999999h"], /--expires 99999999999999h: more than 0, and at most/],
        [["--expires", "0s"], /--expires 0s: more than 0/],
      ] as const) {
        const refused = yield* raise(...flags)
        assert.strictEqual(refused.code, 64)
        assert.match(refused.err, word)
      }
      assert.strictEqual((yield* raise()).code, 0)
      const again = yield* raise()
      assert.strictEqual(again.code, 64)
      assert.match(again.err, /A cordon ir-1 is raised already/)
    }),
  )
})

describe("a task of unknown outcome in a run that stays", () => {
  it.effect("is resolved by the command line while its process goes on", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const tasks = `  a: { uses: command, timeout: 1ms, with: { argv: [sleep, "600"] } }\n`
      yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/u.yaml"), `version: 1\nid: u\ntasks:\n${tasks}`))
      const child = start(folder, ["run", "u", "--wait", "--json"])
      const run = yield* Effect.promise(async () => {
        const reader = child.stdout.getReader()
        let text = ""
        while (!text.includes("attempt.unknown")) text += new TextDecoder().decode((await reader.read()).value)
        reader.releaseLock()
        return String(ndjson(text.slice(0, text.indexOf("\n")))[0].run)
      })
      const waits = ({ out }: { readonly out: string }) => out.includes('"unknown"')
      yield* Effect.repeat(dandori(folder, "runs", "show", run, "--json"), { until: waits })
      const said = yield* dandori(folder, "runs", "resolve", run, "a", "--as", "failed", "--reason", "I looked")
      assert.strictEqual(said.code, 0, said.err)
      assert.include(said.out, "a is failed now. Its run goes on.")
      assert.strictEqual(yield* Effect.promise(() => child.exited), 1)
    }),
  )
})

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
      return { code: await child.exited, lines: ndjson(text) }
    }
    return { run: String(ndjson(text.slice(0, text.lastIndexOf("\n")))[0].run), end: rest() }
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
})

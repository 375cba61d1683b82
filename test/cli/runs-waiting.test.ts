import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { project } from "./run-project.ts"

const until = "[sh, -c, 'until [ -e go ]; do sleep 0.02; done']"

const pipelines = {
  locked: `  train: { uses: command, resources: { locks: [model] }, with: { argv: ${until} } }`,
  both: `
  free: { uses: command, with: { argv: ${until} } }
  train: { uses: command, resources: { locks: [model] }, with: { argv: ${until} } }
  after: { uses: actor, needs: [train], with: { say: done } }`,
  retrying: `
  flaky: { uses: actor, retry: { attempts: 2, backoff: { initial: 1h, max: 1h, jitter: none } }, with: { say: no, succeedsAt: 9 } }`,
}

const here = Effect.tap(project, (folder) =>
  Effect.promise(async () => {
    for (const [id, tasks] of Object.entries(pipelines)) {
      await Fs.writeFile(join(folder, `pipelines/${id}.yaml`), `version: 1\nid: ${id}\ntasks:\n${tasks}\n`)
    }
  }),
)

/** A run that goes on as far as a word in its JSON; it is killed with the scope. */
const runUntil = (folder: string, pipeline: string, word: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = start(folder, ["run", pipeline, "--json"])
      const reader = child.stdout.getReader()
      const decoder = new TextDecoder()
      let text = ""
      while (!text.includes(word)) {
        const { done, value } = await reader.read()
        if (done) throw new Error(`it ended early: ${text}`)
        text += decoder.decode(value, { stream: true })
      }
      reader.releaseLock()
      return { child, run: String(ndjson(text.slice(0, text.indexOf("\n")))[0].run) }
    }),
    ({ child }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return child.exited
      }),
  )

/** What the command line says of a run, in all its ways. */
const said = Effect.fnUntraced(function* (folder: string, run: string) {
  const shown = yield* dandori(folder, "runs", "show", run)
  const [told] = ndjson((yield* dandori(folder, "runs", "show", run, "--json")).out)
  const lines = ndjson((yield* dandori(folder, "runs", "list", "--json")).out)
  const tasks = told.tasks as ReadonlyArray<Record<string, unknown>>
  const table = (yield* dandori(folder, "runs", "list")).out.split("\n").find((line) => line.startsWith(run)) ?? ""
  return { text: shown.out, json: told, tasks, listed: lines.find((line) => line.run === run), table }
})

describe("a run of another process that goes on", () => {
  it.live("is shown as waiting while another run holds the lock of its task, with who holds it", () =>
    Effect.gen(function* () {
      const folder = yield* here
      const holder = yield* runUntil(folder, "locked", "attempt.started")
      const waiter = yield* runUntil(folder, "locked", '"waiting"')
      const { json, listed, table, tasks, text } = yield* said(folder, waiter.run)
      const waiting = {
        for: "resource",
        name: "lock model",
        holders: [{ run: holder.run, task: "train", attempt: 1, pid: holder.child.pid }],
        earlier: [],
      }
      const by = `lock model, held by run ${holder.run}, pid ${holder.child.pid}`
      assert.deepInclude(json, { status: "waiting", waiting })
      assert.deepInclude(tasks[0], { status: "waiting", waiting })
      assert.deepInclude(listed, { status: "waiting", waiting })
      assert.match(table, /locked +waiting +\S+ \S+ +[\d.]+ m?s/)
      assert.match(text, new RegExp(`^locked waits for ${by}, after `))
      assert.match(text, new RegExp(`\\n +⏸ +train +waiting +${by}\\n`))
      const watching = start(folder, ["runs", "watch", waiter.run])
      yield* Effect.promise(async () => {
        const reader = watching.stderr.getReader()
        let heard = ""
        while (!heard.includes(`train   waits for ${by}`))
          heard += new TextDecoder().decode((await reader.read()).value)
        watching.kill("SIGKILL")
        await watching.exited
      })
      const other = yield* said(folder, holder.run)
      assert.deepInclude(other.json, { status: "running" })
      assert.notProperty(other.json, "waiting")
      assert.deepInclude(other.tasks[0], { status: "running" })
    }).pipe(Effect.scoped),
  )

  it.live("is running while one of its tasks does, and the other is waiting", () =>
    Effect.gen(function* () {
      const folder = yield* here
      yield* runUntil(folder, "locked", "attempt.started")
      const { run } = yield* runUntil(folder, "both", '"waiting"')
      const { json, tasks } = yield* said(folder, run)
      assert.deepInclude(json, { status: "running" })
      assert.deepStrictEqual(
        tasks.map(({ status }) => status),
        ["running", "waiting", "pending"],
      )
    }).pipe(Effect.scoped),
  )

  it.live("is shown as waiting while a cordon holds it, and no longer when that is lifted", () =>
    Effect.gen(function* () {
      const folder = yield* here
      yield* dandori(folder, "cordon", "raise", "ir-1", "--reason", "the disk is full")
      const { run } = yield* runUntil(folder, "locked", "run.held")
      const { json, listed, tasks, text } = yield* said(folder, run)
      const waiting = { for: "cordon", cordon: "ir-1", reason: "the disk is full" }
      for (const one of [json, tasks[0], listed]) assert.deepInclude(one, { status: "waiting", waiting })
      assert.match(text, /^locked waits for cordon ir-1 to be lifted \(the disk is full\), after /)
      assert.match(text, /\n +⏸ +train +waiting +cordon ir-1 to be lifted \(the disk is full\)\n/)
      yield* dandori(folder, "cordon", "lift", "ir-1", "--reason", "cleaned up")
      const runs = ({ out }: { readonly out: string }) => out.includes('"status":"running"')
      yield* Effect.repeat(dandori(folder, "runs", "show", run, "--json"), { until: runs })
    }).pipe(Effect.scoped),
  )

  it.live("is shown as waiting for its next attempt, and can be cancelled", () =>
    Effect.gen(function* () {
      const folder = yield* here
      const { child, run } = yield* runUntil(folder, "retrying", "retry.scheduled")
      const { json, tasks, text } = yield* said(folder, run)
      const { due, ...waiting } = tasks[0].waiting as Record<string, unknown>
      assert.deepStrictEqual(waiting, { for: "retry", attempt: 2 })
      assert.isAbove(Date.parse(String(due)), Date.now())
      assert.deepInclude(json, { status: "waiting" })
      assert.match(text, /\n +↻ +flaky +waiting +[\d.]+ m?s +attempt 2 in (59 min \d\d s|1 h 00 min)/)
      const cancelled = yield* dandori(folder, "runs", "cancel", run)
      assert.notInclude(cancelled.out, "Nobody drives it")
      assert.strictEqual(yield* Effect.promise(() => child.exited), 130)
    }).pipe(Effect.scoped),
  )
})

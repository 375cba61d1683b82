import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { onTerminal, project } from "./run-project.ts"

/** A pipeline whose one task holds a lock until the file `go` is there. */
const pipeline = `version: 1
id: locked
tasks:
  train:
    uses: command
    with: { argv: [sh, -c, 'until [ -e go ]; do sleep 0.02; done'] }
    resources: { locks: ['models/EURUSD-GBPUSD'] }
`

/** A project in which a run holds the lock, the run's id, and how to let it end. */
const lockedProject = Effect.gen(function* () {
  const folder = yield* project
  yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/locked.yaml"), pipeline))
  const holder = yield* Effect.acquireRelease(
    Effect.sync(() => start(folder, ["run", "locked", "--json"])),
    (child) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return child.exited
      }),
  )
  const run = yield* Effect.promise(async () => {
    const decoder = new TextDecoder()
    let text = ""
    for await (const bytes of holder.stdout) {
      text += decoder.decode(bytes, { stream: true })
      if (text.includes("attempt.started")) break
    }
    return /"run":"([0-9a-f-]{36})"/.exec(text)?.[1] ?? ""
  })
  const go = Effect.promise(() => Fs.writeFile(join(folder, "go"), ""))
  return { folder, run, pid: holder.pid, go }
})

/** Reads a stream until it says something, does something then, and reads to its end. */
const readUntil = (stream: ReadableStream<Uint8Array>, what: string, then: Effect.Effect<void>) =>
  Effect.promise(async () => {
    const decoder = new TextDecoder()
    let text = ""
    let done = false
    for await (const bytes of stream) {
      text += decoder.decode(bytes, { stream: true })
      if (!done && text.includes(what)) {
        done = true
        await Effect.runPromise(then)
      }
    }
    return text
  })

describe("dandori run, while another run holds a lock", () => {
  it.live("says on a line what the task waits for, who holds it and where, and goes on when that has ended", () =>
    Effect.gen(function* () {
      const { folder, go, pid, run } = yield* lockedProject
      const child = start(folder, ["run", "locked"])
      const said = yield* readUntil(child.stderr, "waits for", go)
      const wanted = `train   waits for lock models/EURUSD-GBPUSD, held by run ${run}, pid ${pid}`
      assert.include(said, wanted)
      assert.isBelow(said.indexOf("waits for"), said.indexOf("train   started"))
      assert.strictEqual(yield* Effect.promise(() => child.exited), 0)
    }),
  )

  it.live("says it to programs as a line of its own", () =>
    Effect.gen(function* () {
      const { folder, go, pid, run } = yield* lockedProject
      const child = start(folder, ["run", "locked", "--json"])
      const lines = ndjson(yield* readUntil(child.stdout, '"waiting"', go))
      const waiting = lines.find(({ kind }) => kind === "waiting")
      assert.deepInclude(waiting, {
        v: 1,
        task: "train",
        for: "lock models/EURUSD-GBPUSD",
        holders: [{ run, task: "train", attempt: 1, pid }],
        earlier: [],
      })
      assert.strictEqual(yield* Effect.promise(() => child.exited), 0)
    }),
  )

  it.live("shows it in the live picture, and Ctrl-C ends the wait", () =>
    Effect.gen(function* () {
      const { folder, go, run } = yield* lockedProject
      const { code, screen } = yield* onTerminal(folder, ["run", "locked"], ["waits for lock models/EURUSD-GBPUSD"])
      assert.strictEqual(code, 130)
      assert.include(screen, `held by run ${run.slice(0, 8)}`)
      yield* go
      assert.strictEqual((yield* dandori(folder, "run", "locked")).code, 0)
    }),
  )
})

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Facts from "../../../../src/services/evacuation/stop/process-facts.ts"
import * as StopBook from "../../../../src/services/evacuation/stop/stop-book.ts"
import { eventually, newToken } from "../../processes-machine.fixture.ts"
import { loop, newProject, rowOf, start } from "./machine.fixture.ts"
import * as StopPlace from "./stop-place.ts"

const { deaf, probe, run, sleeper, written } = StopPlace

describe("a stop that is written down", () => {
  it.live("has its intent written before the first signal, and never the arguments", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      const file = join(root, ".dandori/incidents/IR-1/stopped.json")
      const found = join(root, "found.json")
      const script = `trap 'cp "${file}" "${found}"; exit 0' INT; ${sleeper}`
      const program = yield* start(["sh", "-c", script, token], { cwd: root })
      yield* run(root, { section: { grace: "20s", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] } })
      const intent = JSON.parse(readFileSync(found, "utf8"))
      assert.include(
        intent.stops[0].processes.map(({ pid }: { pid: number }) => pid),
        program.pid,
      )
      assert.notInclude(readFileSync(file, "utf8"), token)
    }),
  )

  it.live("goes on where it was killed between two signals, also with those that nobody would find any more", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      const stray = join(root, "stray")
      // The leader ends on SIGINT; its child in another session stays, and has other words and another parent then.
      const script = `setsid sh -c 'trap "" INT TERM; echo $$ > "$STRAY"; ${loop}' & ${sleeper}`
      const program = yield* start(["sh", "-c", script, token], { cwd: root, env: { STRAY: stray } })
      yield* eventually("its child runs", () => existsSync(stray) && readFileSync(stray, "utf8").endsWith("\n"))
      const child = rowOf(Number(readFileSync(stray, "utf8")))
      const section = { grace: "60s", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      const fixture = fileURLToPath(new URL("./stop-process.fixture.ts", import.meta.url))
      const killed = Bun.spawn([process.execPath, fixture, root, JSON.stringify(section)], {
        stdio: ["ignore", "inherit", "inherit"],
      })
      yield* eventually("the leader is gone", () => !program.isAlive())
      killed.kill("SIGKILL")
      yield* Effect.promise(() => killed.exited)
      assert.isTrue(Facts.lives(child), "it is in its first grace")
      assert.deepStrictEqual(yield* probe(root, { section }), Option.none())
      const output = yield* run(root, { section: { ...section, grace: "100ms" } })
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.deepStrictEqual(
        output.stopped.map(({ signal, target }) => [target, signal]),
        [["it", "SIGKILL"]],
      )
      assert.isFalse(Facts.lives(child))
      assert.strictEqual((yield* written(root)).stops.length, 1, "it is the same stop")
      assert.deepStrictEqual(yield* probe(root, { section }), Option.some(output))
    }),
  )

  it.live("that was killed after its last signal is written down as done by the next call", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      const folder = yield* StopPlace.open(root)
      const program = yield* start(["sh", "-c", deaf, token], { cwd: root })
      const section = { stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      assert.deepStrictEqual(yield* probe(root, { section }), Option.none(), "nothing was written")
      const key = "0190a000-0000-7000-8000-000000000001/stop"
      const book = yield* StopBook.open(folder, key)
      const at = yield* book.begin("it", [])
      yield* book.intend(at, [{ row: rowOf(program.pid), why: "has the words" }])
      yield* book.sent(at, "SIGKILL", [program.pid])
      assert.deepStrictEqual(yield* probe(root, { section }), Option.none(), "it lives")
      process.kill(program.pid, "SIGKILL")
      yield* eventually("it is gone", () => !program.isAlive())
      assert.deepStrictEqual(yield* probe(root, { section }), Option.none(), "nobody has seen that nothing comes back")
      const told = yield* run(root, { section })
      assert.deepInclude(told, { remaining: [], complete: true })
      assert.deepInclude(told.stopped[0], { target: "it", processes: 1, signal: "SIGKILL" })
      assert.deepInclude(yield* written(root), { done: true })
      assert.deepStrictEqual(yield* probe(root, { section }), Option.some(told))
      assert.deepStrictEqual(
        yield* probe(root, { section, run: "0190a000-0000-7000-8000-000000000002" }),
        Option.none(),
      )
    }),
  )

  it.live("never signals a number that went to another process, or that was written before the machine restarted", () =>
    Effect.gen(function* () {
      const root = newProject()
      const folder = yield* StopPlace.open(root)
      const stranger = yield* start(["sh", "-c", sleeper], { cwd: root })
      const row = rowOf(stranger.pid)
      const book = yield* StopBook.open(folder, "another/stop")
      yield* book.intend(yield* book.begin("it", []), [{ row: { ...row, started: "7" }, why: "has the words" }])
      const section = { grace: "10ms", stop: [{ name: "it", match: { argv: [newToken()] } }] }
      assert.deepInclude(yield* run(root, { section }), { remaining: [], complete: true })
      const file = join(folder.path, "stopped.json")
      const before = yield* written(root)
      const stops = before.stops.map(({ by, target, began, processes }) => ({
        by,
        target,
        began,
        containers: [],
        signals: [],
        remaining: [],
        processes: processes.map((process) => ({ ...process, started: row.started })),
      }))
      writeFileSync(file, JSON.stringify({ ...before, boot: "another boot", stops }))
      assert.deepInclude(yield* run(root, { section }), { remaining: [], complete: true })
      assert.isTrue(stranger.isAlive())
    }),
  )

  it.live("signals nobody whom it could not write down before", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      const folder = yield* StopPlace.open(root)
      const program = yield* start(["sh", "-c", sleeper, token], { cwd: root })
      mkdirSync(join(folder.path, "stopped.json/in the way"), { recursive: true })
      const section = { grace: "10ms", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      const error = yield* Effect.flip(run(root, { section }))
      assert.strictEqual(error._tag, "FileFailed")
      assert.isTrue(program.isAlive())
      assert.deepStrictEqual(yield* probe(root, { section }), Option.none())
    }),
  )
})

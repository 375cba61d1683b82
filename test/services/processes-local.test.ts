import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ProcessMark } from "../../src/services/process-launch.ts"
import { layer } from "../../src/services/processes-local.ts"
import { Processes, type Spawn } from "../../src/services/processes.ts"
import { carrying, eventually, newFolder, newToken, programs, records } from "./processes-machine.fixture.ts"

const folder = newFolder()
const run = (spawn: Spawn) =>
  Effect.flatMap(Processes, (processes) => processes.run(spawn)).pipe(Effect.provide(layer({ folder })))
const bun = process.execPath

describe("a child process", () => {
  it.live("passes on its exit code and both streams", () =>
    Effect.gen(function* () {
      const ended = yield* run({ argv: ["sh", "-c", "echo out; echo err >&2; exit 7"] })
      assert.deepStrictEqual(ended, { exitCode: 7, signal: undefined, stdout: "out\n", stderr: "err\n" })
    }),
  )

  it.live("passes on the signal that ended it", () =>
    Effect.gen(function* () {
      const ended = yield* run({ argv: ["sh", "-c", "kill -TERM $$"] })
      assert.strictEqual(ended.signal, "SIGTERM")
      assert.strictEqual(ended.exitCode, 143)
    }),
  )

  it.live("that does not exist, is no program or has no working folder is refused before anything runs", () =>
    Effect.gen(function* () {
      const plain = path.join(folder, "plain")
      writeFileSync(plain, "text")
      for (const spawn of [
        { argv: ["no-such-program-anywhere"] },
        { argv: [plain] },
        { argv: [folder] },
        { argv: ["true"], cwd: "/no/such/folder" },
        { argv: ["true", "a\0b"] },
        { argv: ["true"], env: { "a=b": "c" } },
        { argv: [] },
      ]) {
        const error = yield* Effect.flip(run(spawn))
        assert.strictEqual(error._tag, "ProcessNotStarted")
      }
      assert.deepStrictEqual(records(folder), [])
    }),
  )

  it.live("gets PATH, HOME, LANG, TZ, what is declared and its marks, and nothing else", () =>
    Effect.gen(function* () {
      const ended = yield* run({ argv: ["env"], env: { COLOUR: "blue; rm -rf /", TZ: "Asia/Tokyo" } }).pipe(
        Effect.provideService(ProcessMark, { run: "r1", task: "train", attempt: 3 }),
      )
      const env = new Map(
        ended.stdout
          .trimEnd()
          .split("\n")
          .map((line) => line.split(/=(.*)/s) as [string, string]),
      )
      const allowed = ["PATH", "HOME", "LANG", "TZ", "COLOUR", "DANDORI_ATTEMPT", "DANDORI_CHILD"]
      assert.deepStrictEqual(
        [...env.keys()].filter((name) => !allowed.includes(name)),
        [],
      )
      assert.strictEqual(env.get("COLOUR"), "blue; rm -rf /")
      assert.strictEqual(env.get("TZ"), "Asia/Tokyo")
      assert.strictEqual(env.get("DANDORI_ATTEMPT"), "r1/train/3")
      assert.isDefined(env.get("PATH"))
    }),
  )

  it.live("gets variables with the names that the launch itself uses unchanged", () =>
    Effect.gen(function* () {
      const env = { child: "1", attempt: "2", grace: "3", go: "4", line: "5", self: "6", n: "7", left: "8", pid: "9" }
      const ended = yield* run({ argv: ["env"], env })
      for (const [name, value] of Object.entries(env)) {
        assert.include(ended.stdout.split("\n"), `${name}=${value}`)
      }
    }),
  )

  it.live("gets its arguments as they are: spaces, quotes, newlines, shell characters, leading dashes", () =>
    Effect.gen(function* () {
      const args = ["a b", "$(id)", "`id`", "; exit 9", "'\"", "line\nbreak", "-n", "", "*", "日本"]
      const ended = yield* run({
        argv: [bun, "-e", "console.log(JSON.stringify(process.argv.slice(1)))", "--", ...args],
      })
      assert.deepStrictEqual(JSON.parse(ended.stdout), args)
    }),
  )

  it.live("starts from a path with spaces, in a folder with spaces", () =>
    Effect.gen(function* () {
      const place = path.join(folder, "a place; with $odd 'name'")
      mkdirSync(place)
      writeFileSync(path.join(place, "my tool"), '#!/bin/sh\npwd; echo "$0"\n')
      chmodSync(path.join(place, "my tool"), 0o755)
      const ended = yield* run({ argv: ["./my tool"], cwd: place })
      assert.strictEqual(ended.stdout, `${place}\n${place}/my tool\n`)
    }),
  )

  it.live("reads the text it is given, and an empty input otherwise", () =>
    Effect.gen(function* () {
      const text = "ä".repeat(300_000)
      assert.strictEqual((yield* run({ argv: ["cat"], stdin: text, keep: 400_000 })).stdout, text)
      assert.strictEqual((yield* run({ argv: ["cat"] })).stdout, "")
    }),
  )

  it.live("that writes 10 MB hands on every line while the reader is slow, and the tail is kept", () =>
    Effect.gen(function* () {
      let lines = 0
      let characters = 0
      const script = 'for (let i = 0; i < 100_000; i++) process.stdout.write(String(i).padStart(99, "x") + "\\n")'
      const ended = yield* run({
        argv: [bun, "-e", script],
        keep: 1_000,
        onStdout: (line) =>
          Effect.suspend(() => {
            lines++
            characters += line.length + 1
            return lines % 500 === 0 ? Effect.sleep(1) : Effect.void
          }),
      })
      assert.strictEqual(lines, 100_000)
      assert.strictEqual(characters, 10_000_000)
      assert.strictEqual(ended.stdout.length, 1_000)
      assert.isTrue(ended.stdout.endsWith("99999\n"))
    }),
  )

  it.live("is recorded with pid, start and attempt before its program runs, and not any more after", () =>
    Effect.gen(function* () {
      const ended = yield* run({
        argv: ["sh", "-c", 'echo $$; cat "$0/$$.json"; echo; cat /proc/$$/stat', folder],
      }).pipe(Effect.provideService(ProcessMark, { run: "r1", task: "train", attempt: 3 }))
      const [pid, record, stat] = ended.stdout.split("\n")
      const read = JSON.parse(record)
      assert.strictEqual(String(read.pid), pid)
      assert.strictEqual(read.started, stat.slice(stat.lastIndexOf(")")).split(" ")[20])
      assert.deepStrictEqual(read.mark, { run: "r1", task: "train", attempt: 3 })
      assert.strictEqual(read.owner.pid, process.pid)
      assert.notInclude(records(folder), `${pid}.json`)
    }),
  )

  it.live("leads a process group and a session of its own, and has no child that it did not start", () =>
    Effect.gen(function* () {
      const script = `
        const stats = require("fs").readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).flatMap((name) => {
          try { return [require("fs").readFileSync("/proc/" + name + "/stat", "utf8").split(") ")[1].split(" ")] } catch { return [] }
        })
        const own = require("fs").readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ")
        console.log(JSON.stringify([process.pid, Number(own[2]), Number(own[3]), stats.filter((stat) => stat[1] === String(process.pid)).length]))`
      const ended = yield* run({ argv: [bun, "-e", script] })
      const [pid, group, session, children] = JSON.parse(ended.stdout)
      assert.strictEqual(group, pid)
      assert.strictEqual(session, pid)
      assert.strictEqual(children, 0)
    }),
  )

  it.live("takes with it what it left running, even when that holds its output open", () =>
    Effect.gen(function* () {
      const token = newToken()
      const ended = yield* run({ argv: ["sh", "-c", `sh -c 'sleep 1000; : ${token}' & echo started`] })
      assert.strictEqual(ended.stdout, "started\n")
      assert.deepStrictEqual(carrying(token), [])
    }),
  )

  it.live("does not hold up the run when a process that nobody can trace holds its output open", () =>
    Effect.gen(function* () {
      const token = newToken()
      const stray = `exec setsid env -i sh -c 'sleep 1000; : ${token}'`
      const ended = yield* run({ argv: ["sh", "-c", `(${stray}) & echo started`] })
      assert.strictEqual(ended.stdout, "started\n")
      for (const pid of programs(token)) process.kill(-pid, "SIGKILL")
      yield* eventually("the stray is gone", () => carrying(token).length === 0)
    }),
  )

  it.live("whose group uses more memory than allowed is stopped and the error says so", () =>
    Effect.gen(function* () {
      const token = newToken()
      const grow = `const kept = []; setInterval(() => kept.push(Buffer.alloc(8e6, 1)), 5); // ${token}`
      const error = yield* Effect.flip(
        run({ argv: ["sh", "-c", '"$0" -e "$1"; true', bun, grow], memoryBytes: 150_000_000 }),
      )
      if (error._tag !== "MemoryExceeded") return assert.fail(error.message)
      assert.isAbove(error.usedBytes, 150_000_000)
      assert.deepStrictEqual(carrying(token), [])
    }),
  )

  it.live("is stopped when the handler of a line dies", () =>
    Effect.gen(function* () {
      const token = newToken()
      const exit = yield* Effect.exit(
        run({
          argv: ["sh", "-c", `echo line; sleep 1000; : ${token}`],
          graceMillis: 100,
          onStdout: () => Effect.die("handler"),
        }),
      )
      assert.strictEqual(exit._tag, "Failure")
      assert.deepStrictEqual(carrying(token), [])
    }),
  )
})

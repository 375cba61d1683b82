import * as Fs from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Collected } from "../../../../src/domain/collected.ts"
import type { Collector, MachineFact } from "../../../../src/domain/config/evacuation.ts"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import { commandLine, table } from "../../../../src/services/process-table.ts"
import * as Capture from "../../../../src/services/evacuation/captures/capturing.ts"
import * as Incidents from "../../../../src/services/evacuation/incident/incidents.ts"
import * as Weather from "../../../support/weather.ts"
import { command, machine, services, take } from "./capture-place.ts"
import * as Place from "../destination/place.ts"

const bun = process.execPath
const node = (script: string) => [bun, "-e", script]

/** A server of the test's own. */
const served = (answer: Parameters<typeof createServer>[1]) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer(answer)
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      return server
    }),
    (server) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }),
  )
const urlOf = (server: ReturnType<typeof createServer>) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const endpoint = (url: string, more: { readonly time?: string; readonly max_bytes?: string } = {}): Collector => ({
  name: "health",
  kind: "endpoint",
  url,
  when: "volatile",
  value: 1,
  ...more,
})

/** Waits until something holds; what is waited for ends by itself. */
const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    while (!holds()) await Bun.sleep(5)
  })

describe("Capture.take", () => {
  it.live("writes each capture for its owner alone, and records size and digest, the most valuable first", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const collectors = [command("b", ["echo", "two"], { value: 2 }), command("a", ["echo", "one"], { value: 1 })]
      const { outcomes, path, problems, textOf } = yield* take(project, { collectors })
      assert.deepStrictEqual(problems, [])
      assert.deepStrictEqual(
        outcomes.map(({ collector, files, outcome, path: at }) => [collector, outcome, files, at]),
        [
          ["a", "ok", 1, "captures/a.txt"],
          ["b", "ok", 1, "captures/b.txt"],
        ],
      )
      assert.strictEqual(textOf("a"), "$ echo one\none\n# ended with 0\n")
      for (const { bytes, path: at, sha256 } of outcomes) {
        const file = join(path, at ?? "")
        assert.strictEqual(Fs.statSync(file).mode & 0o777, 0o600)
        assert.strictEqual(Fs.statSync(file).size, bytes)
        assert.strictEqual(Sha256.of(Fs.readFileSync(file)), sha256)
      }
      const byName = (a: { readonly collector: string }, b: { readonly collector: string }) =>
        a.collector < b.collector ? -1 : 1
      assert.deepStrictEqual(Place.collected(path).toSorted(byName), outcomes)
    }),
  )

  it.live("takes only what belongs before the stop, or only what belongs after it", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const collectors: ReadonlyArray<Collector> = [
        command("before", ["true"]),
        { ...command("after", ["true"]), when: "durable" },
        { name: "files", kind: "files", root: "logs", to: "evidence", value: 1 },
      ]
      const names = (when: "volatile" | "durable") =>
        Effect.map(take(project, { collectors, when }), ({ outcomes }) => outcomes.map(({ collector }) => collector))
      assert.deepStrictEqual(yield* names("volatile"), ["before"])
      assert.deepStrictEqual(yield* names("durable"), ["after"])
    }),
  )

  it.live("does not take again what was taken or not there, and takes what failed", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const counting = (name: string, code: number) =>
        command(name, ["sh", "-c", `echo x >>${name}.count; wc -l <${name}.count; exit ${code}`])
      const own = { collectors: [counting("good", 0), counting("bad", 3), machine("git")] }
      const first = yield* take(project, own)
      assert.deepStrictEqual(
        first.outcomes.map(({ outcome }) => outcome),
        ["ok", "failed", "skipped"],
      )
      const second = yield* take(project, own)
      assert.deepStrictEqual(second.outcomes[0], first.outcomes[0])
      assert.deepStrictEqual(second.outcomes[2], first.outcomes[2])
      assert.strictEqual(Fs.readFileSync(join(project, "good.count"), "utf8"), "x\n")
      assert.strictEqual(Fs.readFileSync(join(project, "bad.count"), "utf8"), "x\nx\n")
      // What the first call saw before it failed is still there.
      assert.deepStrictEqual(
        [first, second].map(({ outcomes }) => outcomes[1].path),
        ["captures/bad.txt", "captures/bad-2.txt"],
      )
      const kept = Fs.readFileSync(join(first.path, "captures/bad.txt"), "utf8")
      assert.strictEqual(Sha256.of(kept), first.outcomes[1].sha256)
    }),
  )

  it.live("takes a capture again that is no longer what was recorded, and leaves what lies there", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const own = { collectors: [command("a", ["echo", "one"])] }
      const { path } = yield* take(project, own)
      Fs.chmodSync(join(path, "captures/a.txt"), 0o600)
      Fs.writeFileSync(join(path, "captures/a.txt"), "altered")
      const second = yield* take(project, own)
      assert.strictEqual(second.outcomes[0].path, "captures/a-2.txt")
      assert.strictEqual(Fs.readFileSync(join(path, "captures/a.txt"), "utf8"), "altered")
      const third = yield* take(project, own)
      assert.deepStrictEqual(third.outcomes, second.outcomes)
    }),
  )

  it.live("ends a program at its time limit with all its children, and keeps what it had said", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const child = `Bun.spawn(["sleep", "1234567"], { detached: true, stdio: ["ignore", "inherit", "inherit"] })`
      const script = `${child}; process.on("SIGTERM", () => {}); console.log("began"); setInterval(() => {}, 1000)`
      const { outcomes, textOf } = yield* take(project, { collectors: [command("slow", node(script), { time: "2s" })] })
      assert.strictEqual(outcomes[0].outcome, "failed")
      assert.match(outcomes[0].reason ?? "", /more than 2s/)
      assert.match(textOf("slow") ?? "", /^\$ .*\nbegan\n$/)
      const sleeping = table().filter(({ pid, zombie }) => !zombie && commandLine(pid).includes("1234567\0"))
      assert.deepStrictEqual(sleeping, [])
    }),
  )

  it.live("cuts a program off at its limit of bytes, and marks it", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const collectors = [command("long", ["yes", "a line"], { max_bytes: "64KiB" })]
      const { outcomes, textOf } = yield* take(project, { collectors })
      const [{ bytes, outcome, truncated }] = outcomes
      assert.deepStrictEqual({ outcome, truncated }, { outcome: "ok", truncated: true })
      assert.isAtMost(bytes, 65_536)
      assert.isAbove(bytes, 60_000)
      assert.isTrue(textOf("long")?.endsWith("\n"))
    }),
  )

  it.live("says why a program cannot be run, and how one ended", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const collectors = [
        command("gone", ["no-such-program"]),
        command("bad", ["sh", "-c", "echo said; echo why >&2; exit 3"]),
      ]
      const { outcomes, textOf } = yield* take(project, { collectors })
      assert.deepStrictEqual(
        outcomes.map(({ outcome }) => outcome),
        ["failed", "failed"],
      )
      assert.match(outcomes[0].reason ?? "", /no-such-program cannot be run: it was not found on PATH/)
      assert.strictEqual(outcomes[0].path, undefined)
      assert.strictEqual(outcomes[1].reason, "it ended with 3")
      assert.include(textOf("bad") ?? "", "said\n# standard error\nwhy\n# ended with 3\n")
    }),
  )

  it.live("takes what an endpoint answers, whatever its status, without its secrets", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const server = yield* served((_, response) => {
        response.writeHead(503, { "set-cookie": "session=abcdef123456; Path=/", "x-model": "v7" })
        response.end(JSON.stringify({ status: "degraded", api_key: "planted-in-the-answer" }))
      })
      const { outcomes, textOf } = yield* take(project, { collectors: [endpoint(`${urlOf(server)}/health`)] })
      assert.strictEqual(outcomes[0].outcome, "ok")
      const text = textOf("health") ?? ""
      assert.match(text, /^GET http:.*\/health\n503\n/)
      assert.include(text, "x-model: v7\n")
      assert.include(text, '{"status":"degraded","api_key":"[redacted named-secret]"}')
      for (const secret of ["abcdef123456", "planted-in-the-answer"]) assert.notInclude(text, secret)
      assert.deepStrictEqual(outcomes[0].redactions, [
        { rule: "cookie", count: 1 },
        { rule: "named-secret", count: 1 },
      ])
    }),
  )

  it.live("does not wait for an endpoint longer than its time, nor read more than its bytes", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const server = yield* served((request, response) => {
        if (request.url === "/long") response.end("x\n".repeat(100_000))
      })
      const at = urlOf(server)
      const silent = yield* take(project, { collectors: [endpoint(`${at}/silent`, { time: "200ms" })] })
      assert.strictEqual(silent.outcomes[0].outcome, "failed")
      assert.match(silent.outcomes[0].reason ?? "", /more than 200ms/)
      const long = yield* take(project, {
        collectors: [{ ...endpoint(`${at}/long`, { max_bytes: "4KiB" }), name: "long" }],
      })
      assert.deepStrictEqual([long.outcomes[0].outcome, long.outcomes[0].truncated], ["ok", true])
      assert.isAtMost(long.outcomes[0].bytes, 4096)
      const { port } = server.address() as AddressInfo
      server.closeAllConnections()
      yield* Effect.promise(() => new Promise((resolve) => server.close(resolve)))
      const gone = yield* take(project, { collectors: [{ ...endpoint(`http://127.0.0.1:${port}/`), name: "gone" }] })
      assert.strictEqual(gone.outcomes[0].outcome, "skipped")
      assert.match(gone.outcomes[0].reason ?? "", /cannot be reached/)
    }),
  )

  it.live("keeps the secrets of the configuration and its rules out of captures and of reasons", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const secret = "correct-horse-battery"
      const { outcomes, path, textOf } = yield* take(project, {
        secrets: { HOOK: secret },
        redact: [{ name: "patient", pattern: "P-\\d{4}" }],
        collectors: [
          command("says", ["echo", `it is ${secret}, ${btoa(secret)}, P-1234, postgres://u:hunter2@db/x`]),
          command(`fails`, [`/${secret}`]),
        ],
      })
      const text = textOf("says") ?? ""
      assert.include(
        text,
        "it is [redacted known-secret], [redacted known-secret], [redacted patient], postgres://u:[redacted url-password]@db/x",
      )
      assert.include(outcomes[1].reason ?? "", "[redacted known-secret]")
      const all = Fs.readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => Fs.readFileSync(join(entry.parentPath, entry.name), "utf8"))
      for (const each of all)
        for (const planted of [secret, btoa(secret), "hunter2", "P-1234"]) assert.notInclude(each, planted)
    }),
  )

  it.live("lists what does not fit before the deadline, and takes what does", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const past = { began: 1, deadline: Date.now() - 1 }
      const late = yield* take(project, { collectors: [command("a", ["true"])], call: past })
      assert.deepStrictEqual([late.outcomes[0].outcome, late.outcomes[0].reason], ["failed", "deadline"])
      const soon = { began: 1, deadline: Date.now() + 2_000 }
      const collectors = [command("a", ["true"]), command("slow", ["sleep", "1234568"], { time: "1m" })]
      const { outcomes } = yield* take(project, { collectors, call: soon })
      assert.deepStrictEqual(
        outcomes.map(({ outcome, reason }) => [outcome, reason]),
        [
          ["ok", undefined],
          ["failed", "deadline"],
        ],
      )
    }),
  )

  it.live("ends its programs when it is interrupted", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const isRunning = () => table().some(({ pid, zombie }) => !zombie && commandLine(pid).includes("1234569\0"))
      const collectors = [command("slow", ["sleep", "1234569"], { time: "1m" })]
      const fiber = yield* Effect.forkChild(take(project, { collectors }))
      yield* until(isRunning)
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isRunning())
    }),
  )

  it.live("records the crash of a collector as its failure, and goes on with the others", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const unknown = "no-such-fact" as MachineFact
      const { outcomes } = yield* take(project, { collectors: [machine(unknown), command("a", ["true"])] })
      assert.deepStrictEqual(
        outcomes.map(({ outcome }) => outcome),
        ["failed", "ok"],
      )
      assert.match(outcomes[0].reason ?? "", /^taking it went wrong: /)
    }),
  )

  it.live(
    "says which captures the disk has no room for, keeps no part of them, and takes them when there is room",
    () =>
      Effect.gen(function* () {
        const folder = yield* Place.folder
        const disk = yield* Effect.acquireRelease(
          Effect.promise(() => Weather.smallDisk({ folder }, "small", 2 << 20)),
          ({ remove }) => Effect.promise(remove),
        )
        const big = command("big", ["sh", "-c", "yes 0123456789abcdef | head -c 3000000"], { value: 1 })
        const own = { collectors: [big, command("small", ["echo", "one"], { value: 2 })] }
        const first = yield* take(disk.inside, own)
        assert.deepStrictEqual(
          first.outcomes.map(({ collector, outcome }) => [collector, outcome]),
          [
            ["big", "failed"],
            ["small", "ok"],
          ],
        )
        assert.match(first.outcomes[0].reason ?? "", /the disk is full/)
        assert.deepStrictEqual(first.problems, [])
        assert.deepStrictEqual(Fs.readdirSync(join(first.path, "captures")), ["small.txt"])
        const scene = yield* Place.incident().pipe(Effect.provide(services(disk.inside, own)))
        // With no room at all.
        yield* Effect.promise(() => disk.fill())
        const more = { collectors: [...own.collectors, command("third", ["echo", "x".repeat(8_192)])] }
        const full = yield* Capture.take(scene, "volatile", "1.2.3").pipe(Effect.provide(services(disk.inside, more)))
        assert.deepStrictEqual(
          full.outcomes.map(({ outcome }) => outcome),
          ["failed", "failed", "ok"],
        )
        yield* Effect.promise(disk.free)
        const room = { collectors: [{ ...big, max_bytes: "64KiB" }, ...more.collectors.slice(1)] }
        const last = yield* take(disk.inside, room)
        assert.deepStrictEqual(
          last.outcomes.map(({ outcome, path }) => [outcome, path]),
          [
            ["ok", "captures/big.txt"],
            ["ok", "captures/third.txt"],
            ["ok", "captures/small.txt"],
          ],
        )
        assert.deepStrictEqual(Fs.readdirSync(join(first.path, "captures")).toSorted(), [
          "big.txt",
          "small.txt",
          "third.txt",
        ])
      }),
  )

  it.live("tells how a capture ended while the disk was full as soon as there is room again", () =>
    Effect.gen(function* () {
      const folder = yield* Place.folder
      const disk = yield* Effect.acquireRelease(
        Effect.promise(() => Weather.smallDisk({ folder }, "small", 2 << 20)),
        ({ remove }) => Effect.promise(remove),
      )
      const ended = join(folder, "ended")
      const own = {
        collectors: [
          command("early", ["sh", "-c", `head -c 8192 /dev/zero; touch '${ended}'`], { value: 1 }),
          command("late", ["sh", "-c", `while [ ! -e '${folder}/go' ]; do sleep 0.02; done`], { value: 2 }),
        ],
      }
      const scene = yield* Place.incident().pipe(Effect.provide(services(disk.inside, own)))
      yield* Effect.promise(() => disk.fill())
      const taking = yield* Capture.take(scene, "volatile", "1.2.3").pipe(
        Effect.provide(services(disk.inside, own)),
        Effect.forkChild({ startImmediately: true }),
      )
      yield* until(() => Fs.existsSync(ended))
      // Long enough for it to be written; were it not, the test would say less.
      yield* Effect.sleep("300 millis")
      yield* Effect.promise(disk.free)
      Fs.writeFileSync(join(folder, "go"), "")
      const { outcomes, problems } = yield* Fiber.join(taking)
      assert.deepStrictEqual(problems, [])
      const lines = yield* Incidents.readLines(scene.path, "collected.ndjson", Collected)
      const byName = (all: ReadonlyArray<Collected>) => all.toSorted((a, b) => a.collector.localeCompare(b.collector))
      assert.deepStrictEqual(byName(lines), byName(outcomes))
      assert.lengthOf(lines, 2)
    }),
  )
})

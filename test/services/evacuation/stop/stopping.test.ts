import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Facts from "../../../../src/services/evacuation/stop/process-facts.ts"
import * as RecoveryBook from "../../../../src/services/evacuation/recover/recovery-book.ts"
import * as Stopping from "../../../../src/services/evacuation/stop/stopping.ts"
import { bootId, write } from "../../../../src/services/process-records.ts"
import { Hurry } from "../../../../src/services/process-groups.ts"
import { table } from "../../../../src/services/process-table.ts"
import { freePort, words } from "../../../support/servers/server.ts"
import { eventually, newToken, startOwner } from "../../processes-machine.fixture.ts"
import { family, living, loop, newProject, rowOf, settled, start } from "./machine.fixture.ts"
import * as StopPlace from "./stop-place.ts"

const { deaf, dryRun, run, sleeper, written } = StopPlace

const ownWords = (root: string) => ({ env: { PATH: `${root}/venv/bin:/usr/bin:/bin` } })
const trainingWords = ["python", "-u", "src/train.py", "--config", "x", "--mode", "full"]
/** An API, a training that hears no signal, and its look-alike in another project. */
const machine = Effect.gen(function* () {
  const [root, other, port] = [newProject(), newProject(), freePort()]
  yield* StopPlace.open(root)
  const api = yield* start(["python", "-m", "uvicorn", "api.app", "--port", String(port)], {
    cwd: root,
    ...ownWords(root),
  })
  const training = yield* start(trainingWords, { cwd: root, ...ownWords(root) })
  yield* eventually("the training has its children", () => family(training.pid).length >= 5)
  const lookalike = yield* start(trainingWords, { cwd: other, ...ownWords(root) })
  yield* settled(training.pid)
  yield* settled(lookalike.pid)
  return { root, other, port, api, training, lookalike, section: { grace: "200ms", stop: StopPlace.targets(port) } }
})

describe("a stop", () => {
  it.live("ends the API and then the training with everything that is theirs, and no look-alike", () =>
    Effect.gen(function* () {
      const { api, lookalike, other, root, section, training } = yield* machine
      const theirs = [...family(api.pid), ...family(training.pid)]
      assert.isAbove(new Set(theirs.map(({ session }) => session)).size, 2, "one has a session of its own")
      const output = yield* run(root, { section })
      assert.deepStrictEqual(
        output.stopped.map(({ signal, target }) => [target, signal]),
        [
          ["api", "SIGINT"],
          ["training", "SIGKILL"],
        ],
      )
      assert.isAtLeast(output.stopped[1].processes, 3)
      assert.isAtLeast(output.stopped[1].millis, 400)
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.deepStrictEqual(
        theirs.filter((row) => Facts.lives(row)),
        [],
      )
      assert.isTrue(lookalike.isAlive())
      assert.deepStrictEqual(output.near, [
        { target: "training", pid: lookalike.pid, reason: `it works in ${other}, not in ${root}` },
      ])
      const { boot, done, stops } = yield* written(root)
      assert.deepStrictEqual([boot, done], [bootId(), true])
      const [first, second] = stops
      assert.isAtMost(first.ended ?? Infinity, second.began)
      assert.deepStrictEqual([...new Set(second.signals.map(({ signal }) => signal))], ["SIGINT", "SIGTERM", "SIGKILL"])
      assert.includeMembers(
        stops.flatMap(({ processes }) => processes.map(({ pid }) => pid)),
        theirs.map(({ pid }) => pid),
      )
    }),
  )

  it.live("says before what it would stop and why, and stops nothing then, nor in a drill", () =>
    Effect.gen(function* () {
      const { api, lookalike, other, port, root, section, training } = yield* machine
      const text = yield* dryRun(root, { section })
      assert.match(text, /^runs: nothing runs$/m)
      assert.match(text, /^api: SIGINT, after 20s SIGTERM, after 20s SIGKILL to$/m)
      assert.match(
        text,
        new RegExp(`^  ${api.pid} \\S+: has the words, works in ${root}, .*listens on port ${port}$`, "m"),
      )
      assert.match(text, new RegExp(`^  ${training.pid} \\S+: has the words, works in ${root}$`, "m"))
      assert.match(text, new RegExp(`^  not ${lookalike.pid} \\S+: it works in ${other}, not in ${root}$`, "m"))
      const place = newProject()
      yield* StopPlace.open(place, { began: 0 }, true)
      const own = section.stop.map((target) =>
        "match" in target ? { ...target, match: { ...target.match, cwd: root } } : target,
      )
      const output = yield* run(place, { section: { ...section, stop: own } })
      assert.deepStrictEqual(
        output.listed?.map(({ target }) => target),
        ["api", "training"],
      )
      assert.deepInclude(output, { stopped: [], complete: true })
      assert.deepStrictEqual(
        [api, training, lookalike].map(({ isAlive }) => isAlive()),
        [true, true, true],
      )
    }),
  )

  it.live(
    "stops again what a supervisor starts again, three times, and never says that it is gone while it lives",
    () =>
      Effect.gen(function* () {
        const root = newProject()
        const token = newToken()
        yield* StopPlace.open(root)
        // Each in a session of its own, so that the supervisor is no part of it.
        const script = `(m=0; while [ $((m += 1)) -le 50 ]; do setsid sh -c '${loop}' ${token}; done) & echo up; wait`
        const supervisor = yield* start(["sh", "-c", script], { cwd: root })
        const words = ["sh", "-c", "sleep*", token]
        const mine = () => table().filter(({ pid, zombie }) => !zombie && Facts.argvOf(pid).at(-1) === token)
        yield* eventually("its program runs", () => mine().some(({ pid }) => Facts.argvOf(pid)[0] === "sh"))
        const section = { grace: "100ms", stop: [{ name: "it", match: { argv: words } }] }
        const output = yield* run(root, { section })
        assert.isFalse(output.complete)
        assert.strictEqual(output.remaining.length >= 1, true)
        assert.match(output.remaining[0].reason, /^it was started again by sh \(\d+\); stop that first$/)
        assert.isAbove(mine().length, 0)
        assert.isTrue(supervisor.isAlive())
        assert.strictEqual((yield* written(root)).stops.length, 4)
        for (const { pid } of family(supervisor.pid)) process.kill(pid, "SIGKILL")
      }),
  )

  it.live("that is over is looked at again: what was started since is told, with who did it", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      const folder = yield* StopPlace.open(root)
      const section = { grace: "100ms", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      const again = Stopping.startedAgain(folder).pipe(Effect.provide(StopPlace.services(root, { section })))
      yield* start(["sh", "-c", sleeper, token], { cwd: root })
      assert.deepStrictEqual(yield* again, [], "nothing was stopped yet")
      assert.deepInclude(yield* run(root, { section }), { remaining: [], complete: true })
      assert.deepStrictEqual(yield* again, [])
      const { pid } = yield* start(["sh", "-c", sleeper, token], { cwd: root })
      const reason = `it was started again by ${Facts.programOf(process.pid)} (${process.pid}); stop that first`
      assert.deepStrictEqual(yield* again, [{ target: "it", pid, reason }])
      assert.deepInclude(yield* written(root), { done: true }, "it only looks")
    }),
  )

  it.live("ends a supervisor with its program where they are one group", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      const script = `echo up; m=0; while [ $((m += 1)) -le 50 ]; do sh -c '${loop}' ${token}; done`
      const supervisor = yield* start(["sh", "-c", script], { cwd: root })
      const section = { grace: "100ms", stop: [{ name: "it", match: { argv: ["sh", "-c", "sleep*", token] } }] }
      // Between its fork and its exec a child has the words of its parent.
      yield* eventually("its program runs", () =>
        family(supervisor.pid).some(({ pid }) => Facts.argvOf(pid).at(-1) === token),
      )
      assert.deepInclude(yield* run(root, { section }), { remaining: [], complete: true })
      assert.isFalse(supervisor.isAlive())
    }),
  )

  it.live("spares a group that it is in itself, but not the one that is meant", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      const child = Bun.spawn(["sh", "-c", sleeper, token], { stdio: ["ignore", "ignore", "ignore"] })
      assert.strictEqual(rowOf(child.pid).group, rowOf(process.pid).group)
      const sibling = Bun.spawn(["sleep", "1000"], { stdio: ["ignore", "ignore", "ignore"] })
      const section = { grace: "5s", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      assert.deepInclude(yield* run(root, { section }), { remaining: [], complete: true })
      yield* Effect.promise(() => child.exited)
      assert.isNull(sibling.exitCode)
      sibling.kill("SIGKILL")
      yield* Effect.promise(() => sibling.exited)
    }),
  )

  it.live("takes a group whose leader has ended, and counts a zombie as ended", (context) =>
    Effect.gen(function* () {
      if (Bun.which("python3") === null) return context.skip("python3 is not on this machine")
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      // The parent never waits, so that the leader of the group stays a zombie; the members live on without it.
      const inner = `sh -c '${loop}' ${token} & sh -c '${loop}' & exit 0`
      const script = `import subprocess, time
kept = subprocess.Popen(["setsid", "sh", "-c", """${inner}"""], stdout=subprocess.DEVNULL)
print("up", flush=True)
time.sleep(1000)`
      const parent = yield* start(["python3", "-c", script], { cwd: root })
      const members = () =>
        table().filter(({ pid }) => Facts.argvOf(pid).at(-1) === token && Facts.argvOf(pid)[1] === "-c")
      yield* eventually("the leader is a zombie", () => {
        const [member] = members()
        return member !== undefined && table().some(({ pid, zombie }) => pid === member.group && zombie)
      })
      const { group } = members()[0]
      const section = { grace: "50ms", stop: [{ name: "it", match: { argv: ["sh", "-c", "*", token] } }] }
      const output = yield* run(root, { section })
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.isAtLeast(output.stopped[0].processes, 2)
      assert.deepStrictEqual(living(group), [])
      assert.isTrue(parent.isAlive())
    }),
  )

  it.live("waits for a program whose first thread has ended while the others still work", (context) =>
    Effect.gen(function* () {
      if (Bun.which("python3") === null) return context.skip("python3 is not on this machine")
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      const script = `import ctypes, signal, threading, time
def work():
    while True: time.sleep(0.05)
threading.Thread(target=work).start()
def leave(*_): ctypes.CDLL(None).pthread_exit(None)
signal.signal(signal.SIGINT, leave)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True: time.sleep(0.05)`
      const program = yield* start(["python3", "-c", script, token], { cwd: root })
      const section = { grace: "500ms", stop: [{ name: "it", match: { argv: ["*", "-c", "*", token] } }] }
      const output = yield* run(root, { section })
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.deepStrictEqual(
        output.stopped.map(({ signal }) => signal),
        ["SIGKILL"],
      )
      assert.isFalse(Facts.lives(program))
    }),
  )

  it.live("shortens its graces to the deadline, and signals nobody once that is over", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      const section = { grace: "1h", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      const program = yield* start(["sh", "-c", deaf, token], { cwd: root })
      yield* StopPlace.open(root, { began: 0, deadline: Date.now() - 1 })
      const late = yield* run(root, { section })
      assert.deepInclude(late, { stopped: [], complete: false })
      assert.include(
        late.remaining.map(({ pid, reason }) => `${pid} ${reason}`),
        `${program.pid} deadline`,
      )
      assert.isTrue(program.isAlive())
      yield* StopPlace.open(root, { began: 0, deadline: Date.now() + 12_000 })
      const output = yield* run(root, { section })
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.strictEqual(output.stopped[0].signal, "SIGKILL")
      assert.isFalse(program.isAlive())
    }),
  )

  it.live("waits for no grace once the operator is in a hurry", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      const section = { grace: "1h", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      const program = yield* start(["sh", "-c", deaf, token], { cwd: root })
      yield* StopPlace.open(root)
      const hurry = Latch.makeUnsafe(true)
      const output = yield* Effect.provideService(run(root, { section }), Hurry, hurry)
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.isFalse(program.isAlive())
    }),
  )

  it.live("names those of another user that it may not signal", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0 || words().length === 0) {
        return context.skip("only root can start this as another user, and setpriv does it")
      }
      const root = newProject()
      const token = newToken()
      yield* StopPlace.open(root)
      yield* Effect.promise(() => Bun.$`chmod -R a+rwX ${root}`.quiet())
      const program = yield* start(["sh", "-c", sleeper, token], { cwd: "/" })
      const fixture = fileURLToPath(new URL("./stop-process.fixture.ts", import.meta.url))
      const section = { grace: "20s", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      const other = Bun.spawn([...words(65_534), process.execPath, fixture, root, JSON.stringify(section)], {
        stdio: ["ignore", "pipe", "pipe"],
      })
      const said = yield* Effect.promise(() => new Response(other.stderr).text())
      if (/EACCES|Permission denied/.test(said)) return context.skip("another user cannot read this program's files")
      assert.strictEqual(yield* Effect.promise(() => other.exited), 0, said)
      const { remaining } = yield* written(root)
      assert.match(remaining.find(({ pid }) => pid === program.pid)?.reason ?? "", /^it is of root, .*run this as root/)
      assert.isTrue(program.isAlive())
    }),
  )

  it.live("begins with Dandori's own runs, but not with the run that does it", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      const home = join(root, ".dandori/processes")
      const token = newToken()
      const deafLoop = `trap "" INT; : ${token}; ${loop}; : ${token}`
      const owner = startOwner(home, 300, [["sh", "-c", `setsid sh -c '${deafLoop}' & ${deafLoop}`]])
      const theirs = () =>
        table().filter(
          ({ pid, zombie }) =>
            !zombie && Facts.argvOf(pid)[0]?.endsWith("sh") && Facts.argvOf(pid).at(-1)?.includes(token),
        )
      yield* eventually("the run's children run", () => theirs().length >= 2)
      const spared = yield* start(["sh", "-c", sleeper], { cwd: root })
      write(home, {
        pid: spared.pid,
        started: spared.started,
        boot: bootId(),
        child: "own",
        program: "/bin/sh",
        graceMillis: 10,
        owner: { pid: process.pid, started: rowOf(process.pid).started },
        mark: { run: "0190a000-0000-7000-8000-000000000001", task: "collect", attempt: 1 },
      })
      const stranger = yield* start(["sh", "-c", sleeper], { cwd: root })
      write(home, {
        pid: stranger.pid,
        started: "7",
        boot: bootId(),
        child: "stranger",
        program: "/bin/sh",
        graceMillis: 10,
        owner: { pid: 1, started: "1" },
      })
      const before = theirs()
      const output = yield* run(root, { section: { stop: [] } })
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.deepStrictEqual(
        output.stopped.map(({ target }) => target),
        ["runs"],
      )
      assert.deepStrictEqual(
        before.filter((row) => Facts.lives(row)),
        [],
      )
      assert.deepStrictEqual([spared.isAlive(), stranger.isAlive()], [true, true])
      owner.kill("SIGKILL")
      yield* Effect.promise(() => owner.exited)
    }),
  )

  it.live("leaves alone what the incident itself has brought up", () =>
    Effect.gen(function* () {
      const root = newProject()
      const token = newToken()
      const folder = yield* StopPlace.open(root)
      const program = yield* start(["sh", "-c", sleeper, token], { cwd: root })
      const book = yield* RecoveryBook.open(folder, "another/recover")
      const { pid, started } = program
      yield* book.begin({ by: "another/recover", name: "api", began: 0, pid, started, boot: bootId(), log: "api.log" })
      const section = { grace: "10ms", stop: [{ name: "it", match: { argv: ["sh", "**", token] } }] }
      assert.deepInclude(yield* run(root, { section }), { stopped: [], remaining: [], complete: true })
      assert.isTrue(program.isAlive())
    }),
  )

  it.live("says where it cannot be known which runs have processes", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      writeFileSync(join(root, ".dandori/processes"), "no folder")
      const { complete, remaining } = yield* run(root, { section: { stop: [] } })
      assert.isFalse(complete)
      assert.deepStrictEqual(
        remaining.map(({ target }) => target),
        ["runs"],
      )
      assert.match(remaining[0].reason, /^which runs have processes is not known: list .* \(ENOTDIR\)$/)
    }),
  )

  it.live("has nothing to say of a machine where nothing runs, and does it twice", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      const section = { stop: [{ name: "it", match: { argv: [newToken()] } }] }
      const first = yield* run(root, { section })
      assert.deepStrictEqual(first, { stopped: [], remaining: [], near: [], complete: true })
      assert.deepStrictEqual(yield* run(root, { section }), first)
    }),
  )
})

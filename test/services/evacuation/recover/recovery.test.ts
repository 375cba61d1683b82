import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { EvacuationSection, RecoverTarget } from "../../../../src/domain/config/evacuation.ts"
import * as Facts from "../../../../src/services/evacuation/stop/process-facts.ts"
import * as RecoveredProcess from "../../../../src/services/evacuation/recover/recovered-process.ts"
import * as RecoveryBook from "../../../../src/services/evacuation/recover/recovery-book.ts"
import * as Served from "../../../../src/services/evacuation/recover/served-model.ts"
import { isAlive, lookUp } from "../../../../src/services/process-table.ts"
import { bootId } from "../../../../src/services/process-records.ts"
import recover from "../../../../tasks/evacuate/recover/index.ts"
import stop from "../../../../tasks/evacuate/stop/index.ts"
import publish from "../../../../tasks/publish/index.ts"
import { freePort } from "../../../support/servers/server.ts"
import * as Stage from "../../../tasks/publish/stage.ts"
import { eventually } from "../../processes-machine.fixture.ts"
import { loop, newProject, rowOf, start } from "../stop/machine.fixture.ts"
import * as StopPlace from "../stop/stop-place.ts"

const input = { incident: "IR-1" }
const fixture = fileURLToPath(new URL("./api.fixture.ts", import.meta.url))

const run = (root: string, targets: ReadonlyArray<RecoverTarget>, section: Partial<EvacuationSection> = {}) =>
  recover
    .run(input)
    .pipe(
      Effect.provide(
        StopPlace.services(root, { task: "recover", section: { grace: "1s", recover: targets, ...section } }),
      ),
    )
const probe = (root: string) =>
  (recover.probe?.(input) ?? Effect.die("there is no probe")).pipe(
    Effect.provide(StopPlace.services(root, { task: "recover" })),
  )

const written = (root: string) =>
  Effect.map(RecoveryBook.read({ path: join(root, ".dandori/incidents/IR-1") }), (found) =>
    Option.getOrElse(found, () => assert.fail("nothing was written")),
  )

/** Everything that was brought up is killed with the scope. */
const opened = Effect.acquireRelease(
  Effect.gen(function* () {
    const root = newProject()
    yield* StopPlace.open(root)
    return root
  }),
  (root) =>
    Effect.map(RecoveryBook.read({ path: join(root, ".dandori/incidents/IR-1") }), (found) => {
      for (const { pid, started } of Option.isSome(found) ? found.value.starts : []) {
        if (pid !== undefined && started !== undefined && isAlive(pid, started)) process.kill(pid, "SIGKILL")
      }
    }),
)

/** An API that says what the project's `health.json` says. */
const api = (over: { readonly port?: number; readonly waitFor?: string } = {}): RecoverTarget => {
  const port = over.port ?? freePort()
  return {
    name: "api",
    start: {
      argv: [
        process.execPath,
        fixture,
        String(port),
        "health.json",
        ...(over.waitFor === undefined ? [] : [over.waitFor]),
      ],
    },
    ready: { url: `http://127.0.0.1:${port}/health`, within: "20s" },
  }
}

const read = (file: string): string => (existsSync(file) ? readFileSync(file, "utf8") : "")

const pidOf = (output: { readonly recovered: ReadonlyArray<{ readonly pid: number }> }) => output.recovered[0].pid

const published = Effect.fnUntraced(function* (root: string, version: string) {
  const model = yield* Stage.passed(root, version)
  yield* publish.run({ model }).pipe(Effect.provide(Stage.attempt(`run of ${version}`)))
  return { version, digest: model.digest }
})

describe("a recovery", () => {
  it.live("leaves a program running in a session of its own, with its own environment and what it says in a file", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const target = api()
      process.env.DANDORI_TEST_SECRET = "not for it"
      const output = yield* run(root, [{ ...target, start: { ...target.start, env: { MODE: "minimum" } } }])
      delete process.env.DANDORI_TEST_SECRET
      assert.deepStrictEqual(
        output.recovered.map(({ name }) => name),
        ["api"],
      )
      assert.deepInclude(output, { failed: [], complete: true })
      const row = rowOf(pidOf(output))
      assert.deepStrictEqual([row.session, row.group], [row.pid, row.pid])
      assert.isTrue(Facts.worksIn(row.pid, root))
      const environment: unknown = yield* Effect.promise(async () =>
        (await fetch(target.ready.url.replace("/health", "/env"))).json(),
      )
      const kept = ["PATH", "HOME", "LANG", "TZ"].filter((name) => (process.env[name] ?? "") !== "")
      assert.sameMembers(Object.keys(environment as object), [...new Set(["PATH", ...kept, "MODE"])])
      const log = join(root, ".dandori/incidents/IR-1/recovered/api.log")
      yield* eventually("it has said something", () => readFileSync(log, "utf8") === "up\n")
    }),
  )

  it.live("starts nothing twice: what lives is left alone by every further call, and by every further stop", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const target = api()
      const first = yield* run(root, [target])
      const second = yield* run(root, [target])
      assert.deepStrictEqual(second, first)
      assert.strictEqual((yield* written(root)).starts.length, 1)
      assert.deepStrictEqual(yield* probe(root), Option.some(first))
      const section = { grace: "10ms", stop: [{ name: "api", match: { argv: [...target.start.argv] } }] }
      const stopped = yield* stop.run(input).pipe(Effect.provide(StopPlace.services(root, { section })))
      assert.deepInclude(stopped, { stopped: [], complete: true })
      const row = rowOf(pidOf(first))
      assert.isTrue(Facts.lives(row))
      process.kill(pidOf(first), "SIGKILL")
      yield* eventually("it is gone", () => !Facts.lives(row))
      const third = yield* run(root, [target])
      assert.deepInclude(third, { failed: [], complete: true })
      assert.notStrictEqual(pidOf(third), pidOf(first))
    }),
  )

  it.live("waits until the program is ready, and stops one that is not in time", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const waitFor = join(root, "go")
      const target = api({ waitFor })
      const short = { ...target, ready: { ...target.ready, within: "1500ms" } }
      const late = yield* run(root, [short])
      assert.deepInclude(late, { recovered: [], complete: false })
      assert.match(
        late.failed[0].reason,
        /^it was not ready within 1s500ms: it answers 503; it was stopped again; see /,
      )
      const [{ pid, started }] = (yield* written(root)).starts
      assert.isFalse(Facts.lives({ pid: pid ?? 0, started: started ?? "" }))
      yield* Effect.promise(() => Bun.write(waitFor, ""))
      assert.deepInclude(yield* run(root, [target]), { failed: [], complete: true })
    }),
  )

  it.live("makes a smoke prediction, and stops a program that does not answer it as it must", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const target = api()
      const url = target.ready.url.replace("/health", "/predict")
      const bad = yield* run(root, [{ ...target, smoke: { url, body: { rows: 1 } } }])
      assert.match(
        bad.failed[0].reason,
        /^its smoke prediction failed: it answers 422, and is to answer 200; it was stopped/,
      )
      const good = yield* run(root, [{ ...target, smoke: { url, body: { features: [1, 2] } } }])
      assert.deepInclude(good, { failed: [], complete: true })
    }),
  )

  it.live("serves the champion of its slot, by version and digest", () =>
    Effect.gen(function* () {
      const root = yield* opened
      Stage.equip(root)
      const [old, champion] = yield* Effect.gen(function* () {
        return [
          yield* published(root, "20250101_0000_aaaaaaaa"),
          yield* published(root, "20250102_0000_bbbbbbbb"),
        ] as const
      }).pipe(Effect.provide(Stage.services(root)))
      const target = api()
      const slotted = { ...target, ready: { ...target.ready, within: "3s", slot: "EURUSD-GBPUSD/1h" } }
      const says = (answer: unknown) => writeFileSync(join(root, "health.json"), JSON.stringify(answer))
      for (const [answer, why] of [
        [{ status: "ok" }, /its answer names no version with its digest, and is to name 20250102_0000_bbbbbbbb/],
        [old, /it serves 20250101_0000_aaaaaaaa .*, and is to serve 20250102_0000_bbbbbbbb/],
        [{ ...champion, digest: old.digest }, /it serves 20250102_0000_bbbbbbbb .*, and is to serve/],
      ] as const) {
        says(answer)
        const refused = yield* run(root, [slotted])
        assert.match(refused.failed[0].reason, why)
      }
      says({ status: "ok", models: [{ slot: slotted.ready.slot, ...champion }] })
      const patient = { ...slotted, ready: { ...slotted.ready, within: "20s" } }
      assert.deepInclude(yield* run(root, [patient]), { failed: [], complete: true })
      const text = yield* (recover.dryRun?.(input) ?? Effect.die("there is no dry run")).pipe(
        Effect.provide(StopPlace.services(root, { section: { recover: [slotted] } })),
      )
      assert.include(text, "serving 20250102_0000_bbbbbbbb")
    }),
  )

  it.live("takes only published bytes where the registry is lost, and says that it did not know the champion", () =>
    Effect.gen(function* () {
      const root = yield* opened
      Stage.equip(root)
      const { digest, version } = yield* published(root, "20250101_0000_aaaaaaaa").pipe(
        Effect.provide(Stage.services(root)),
      )
      for (const name of ["state.db", "state.db-wal", "state.db-shm"]) {
        writeFileSync(join(root, ".dandori", name), "this is no database".repeat(1_000))
      }
      const target = api()
      const slotted = { ...target, ready: { ...target.ready, within: "3s", slot: "EURUSD-GBPUSD/1h" } }
      writeFileSync(join(root, "health.json"), JSON.stringify({ version, digest: "0".repeat(64) }))
      const refused = yield* run(root, [slotted])
      assert.match(refused.failed[0].reason, /it serves 20250101_0000_aaaaaaaa \(000000000000…\), and is to serve/)
      writeFileSync(join(root, "health.json"), JSON.stringify({ version, digest }))
      const patient = { ...slotted, ready: { ...slotted.ready, within: "20s" } }
      assert.deepInclude(yield* run(root, [patient]), { failed: [], complete: true })
      assert.match(
        (yield* written(root)).starts.at(-1)?.note ?? "",
        /^compared with the published versions, not with the/,
      )
      yield* Effect.promise(() =>
        Bun.$`chmod -R u+w ${root} && echo x >> ${join(root, ".dandori/models", version, "theta.yaml")}`.quiet(),
      )
      const other = { ...api(), name: "other" }
      const damaged = yield* run(root, [{ ...other, ready: { ...other.ready, slot: slotted.ready.slot } }])
      assert.match(
        damaged.failed.find(({ name }) => name === "other")?.reason ?? "",
        /^What EURUSD-GBPUSD\/1h is to serve cannot be told: .*has no whole version of it$/,
      )
      assert.isUndefined((yield* written(root)).starts.at(-1)?.pid, "nothing was started for it")
    }),
  )

  it.live("says what does not start, and starts nothing where somebody answers already", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const missing = { ...api(), name: "missing", start: { argv: ["no-such-program"] } }
      const ends = { ...api(), name: "ends", start: { argv: ["sh", "-c", "echo why; exit 3"] } }
      const port = freePort()
      yield* start([process.execPath, fixture, String(port), "health.json"], { cwd: root })
      const taken = { ...api({ port }), name: "taken" }
      const { complete, failed, recovered } = yield* run(root, [missing, ends, taken, api()])
      assert.deepStrictEqual(
        [complete, recovered.map(({ name }) => name), failed.map(({ name }) => name)],
        [false, ["api"], ["missing", "ends", "taken"]],
      )
      assert.match(failed[0].reason, /^missing was not started: it was not found on PATH/)
      assert.match(failed[1].reason, /^it ended \(exit code 3\) before it was ready; .*see recovered\/ends\.log/)
      assert.match(failed[2].reason, /^somebody answers at http:\/\/127\.0\.0\.1:\d+\/health already; stop that first$/)
      assert.strictEqual(readFileSync(join(root, ".dandori/incidents/IR-1/recovered/ends.log"), "utf8"), "why\n")
    }),
  )

  it.live("stops what a program leaves behind that has ended", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const file = join(root, "left")
      const script = `trap '' INT; (${loop}) & echo $! > "${file}"; exit 0`
      const output = yield* run(root, [{ ...api(), start: { argv: ["sh", "-c", script] } }], { grace: "100ms" })
      assert.match(output.failed[0].reason, /^it ended \(exit code 0\) before it was ready; it was stopped again/)
      assert.isTrue(lookUp(Number(readFileSync(file, "utf8")))?.zombie ?? true)
    }),
  )

  it.live("starts nothing once the deadline is over, nor in a drill", () =>
    Effect.gen(function* () {
      const root = yield* opened
      yield* StopPlace.open(root, { began: 0, deadline: Date.now() - 1 })
      const late = yield* run(root, [api()])
      assert.deepStrictEqual(late, { recovered: [], failed: [{ name: "api", reason: "deadline" }], complete: false })
      const drill = newProject()
      yield* StopPlace.open(drill, { began: 0 }, true)
      assert.deepStrictEqual(yield* run(drill, [api()]), { recovered: [], failed: [], complete: true })
    }),
  )

  it.live("that was killed while it waited goes on with the program that it has started", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const waitFor = join(root, "go")
      const target = api({ waitFor })
      const script = fileURLToPath(new URL("./recovery-process.fixture.ts", import.meta.url))
      const killed = Bun.spawn([process.execPath, script, root, JSON.stringify({ recover: [target] })], {
        stdio: ["ignore", "inherit", "inherit"],
      })
      const log = join(root, ".dandori/incidents/IR-1/recovered/api.log")
      yield* eventually("the program runs", () => read(log) === "up\n")
      killed.kill("SIGKILL")
      yield* Effect.promise(() => killed.exited)
      assert.deepStrictEqual(yield* probe(root), Option.none())
      yield* Effect.promise(() => Bun.write(waitFor, ""))
      const output = yield* run(root, [target])
      assert.deepInclude(output, { failed: [], complete: true })
      const { starts } = yield* written(root)
      assert.deepStrictEqual(
        starts.map(({ pid }) => pid),
        [pidOf(output)],
      )
    }),
  )

  it.live("that was killed before its program began starts it once", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const target = api()
      const folder = yield* StopPlace.open(root)
      // The shell that waits for the line of the killed call; it ends as its end of the pipe closes.
      const shell = yield* start(["sh", "-c", "echo up; sleep 0.3; exit 125"], { cwd: root })
      const book = yield* RecoveryBook.open(folder, "another/recover")
      const { pid, started } = shell
      yield* book.begin({ by: "another/recover", name: "api", began: 0, pid, started, boot: bootId(), log: "x" })
      const output = yield* run(root, [target])
      assert.deepInclude(output, { failed: [], complete: true })
      assert.strictEqual((yield* written(root)).starts.length, 2)
      assert.notStrictEqual(pidOf(output), pid)
    }),
  )

  it.live("begins no program whose number could not be written down", () =>
    Effect.gen(function* () {
      const root = yield* opened
      const folder = yield* StopPlace.open(root)
      const target = { ...api(), start: { argv: ["sh", "-c", "echo began"] } }
      const shells: Array<{ readonly pid: number; readonly started: string }> = []
      const error = yield* Effect.flip(
        RecoveredProcess.start(folder, target, (shell) => {
          shells.push(shell)
          return Effect.fail("the disk is full" as never)
        }),
      ).pipe(Effect.provide(StopPlace.services(root, {})))
      assert.strictEqual(String(error), "the disk is full")
      yield* eventually("its shell is gone", () => shells.length === 1 && !Facts.lives(shells[0]))
      assert.strictEqual(read(join(folder.path, "recovered/api.log")), "")
    }),
  )
})

describe("what an answer says that it serves", () => {
  it("is every version with its digest, wherever it stands", () => {
    const expected = { versions: [{ version: "v2", digest: "b".repeat(64) as never }] }
    for (const answer of [
      { version: "v2", digest: "b".repeat(64) },
      { model: { version: "v2", digest: "b".repeat(64), more: 1 } },
      [[{ version: "v1", digest: "a".repeat(64) }], { version: "v2", digest: "b".repeat(64) }],
    ])
      assert.isUndefined(Served.mismatch(answer, expected))
    for (const answer of [
      null,
      "v2",
      { version: "v2" },
      { version: "v2", model: { digest: "b".repeat(64) } },
      { version: "v1", digest: "b".repeat(64) },
    ])
      assert.isString(Served.mismatch(answer, expected))
  })
})

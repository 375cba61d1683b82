import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as Processes from "../../src/services/processes-local.ts"
import * as Secrets from "../../src/services/secrets.ts"
import releaseGate from "../../tasks/release-gate/index.ts"
import { ReleaseGateInput } from "../../tasks/release-gate/schema.ts"
import { pipeline, told } from "../compiler/compiled.ts"
import { carrying, newToken } from "../services/processes-machine.fixture.ts"
import * as Workplace from "./workplace.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))
const decode = Schema.decodeUnknownSync(ReleaseGateInput)
const sh = (name: string, script: string, more: object = {}) => ({ name, argv: ["sh", "-c", script], ...more })

const git = (root: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr } = spawnSync("git", ["-C", root, ...args], { encoding: "utf8" })
  assert.strictEqual(status, 0, stderr)
}

/** A project whose code is `code.txt`, in a repository that ignores `out/`. */
const project = Effect.tap(Workplace.project, (root) =>
  Effect.sync(() => {
    Fs.writeFileSync(join(root, "code.txt"), "one\n")
    Fs.writeFileSync(join(root, ".gitignore"), "out/\n")
    Fs.mkdirSync(join(root, "out"))
    git(root, "init", "--quiet")
    git(root, "add", ".")
  }),
)

/** Services of an attempt; its lines go where they are told to. */
const given = (root: string, onLine: (line: string) => Effect.Effect<void> = () => Effect.void) => {
  const telling = Layer.effect(
    Attempt,
    Effect.map(Attempt, (own) => ({ ...own, log: onLine })),
  )
  return Layer.mergeAll(
    Layer.provideMerge(telling, Workplace.attempt(root)),
    ArtifactsDirectory.layer(join(root, ".dandori", "artifacts")),
    Secrets.layer({ project: root, environment: {} }),
    Processes.layer({ folder: join(root, ".dandori", "processes") }),
  )
}

const judge = (root: string, input: unknown, onLine?: (line: string) => Effect.Effect<void>) =>
  releaseGate.run(decode(input)).pipe(Effect.provide(given(root, onLine)), Effect.scoped)

const digestOf = (root: string) => Effect.map(judge(root, { checks: [sh("a", "true")] }), ({ code }) => code)

describe("release-gate", () => {
  it.live("runs every check even when one fails, and names which failed", () =>
    Effect.gen(function* () {
      const root = yield* project
      const log: Array<string> = []
      const script = 'for n in $(seq 30); do echo "line $n"; done; echo wrong >&2; exit 3'
      const output = yield* judge(
        root,
        { checks: [sh("lint", "echo fine"), sh("types", script), sh("gone", ""), { name: "none", argv: ["no-such"] }] },
        (line) => Effect.sync(() => void log.push(line)),
      )
      assert.strictEqual(output.verdict, "FAILED")
      assert.deepStrictEqual(
        output.checks.map(({ exitCode, name, passed }) => [name, passed, exitCode]),
        [
          ["lint", true, 0],
          ["types", false, 3],
          ["gone", true, 0],
          ["none", false, undefined],
        ],
      )
      assert.deepStrictEqual(output.gate.reasons, [
        "types: exit code 3",
        "none: no-such could not be started: it was not found on PATH",
      ])
      assert.include(output.checks[1].tail, "line 30")
      assert.include(output.checks[1].tail, "wrong")
      assert.notInclude(output.checks[1].tail, "line 5\n")
      for (const line of ["lint: fine", "types: line 1", "types: wrong", "types: FAILED (exit code 3)"]) {
        assert.include(log, line)
      }
    }),
  )

  it.live("passes for the bytes of the code and the checks as policy, and keeps a report", () =>
    Effect.gen(function* () {
      const root = yield* project
      yield* Effect.gen(function* () {
        const checks = [sh("a", "true")]
        const { code, files, gate, verdict } = yield* releaseGate.run(decode({ checks }))
        assert.deepStrictEqual([verdict, gate.reasons, files], ["PASSED", [], 2])
        assert.deepStrictEqual(gate.subjects, [{ name: "code", sha256: gate.subjects[0].sha256 }])
        assert.strictEqual(code, gate.subjects[0].sha256)
        const artifacts = yield* Artifacts
        const report = new TextDecoder().decode(yield* artifacts.get(gate.reports[0].sha256))
        assert.deepInclude(JSON.parse(report), { verdict: "PASSED", code })
        const other = yield* releaseGate.run(decode({ checks: [sh("a", "true", { severity: "warn" })] }))
        assert.strictEqual(other.code, code)
        assert.notStrictEqual(other.gate.policy.sha256, gate.policy.sha256)
      }).pipe(Effect.provide(given(root)), Effect.scoped)
    }),
  )

  it.live("warns where only a check of severity warn fails", () =>
    Effect.gen(function* () {
      const root = yield* project
      const warning = sh("style", "exit 1", { severity: "warn" })
      const warned = yield* judge(root, { checks: [sh("a", "true"), warning] })
      assert.deepStrictEqual([warned.verdict, warned.gate.reasons], ["WARNED", ["style: exit code 1"]])
      assert.strictEqual((yield* judge(root, { checks: [warning, sh("b", "exit 1")] })).verdict, "FAILED")
    }),
  )

  it.live("ends a check that hangs by its timeout, all that it started with it, and runs the next", () =>
    Effect.gen(function* () {
      const root = yield* project
      const token = newToken()
      const hanging = `sh -c ': ${token}; while :; do sleep 1; done' & wait`
      const { checks, verdict } = yield* judge(root, {
        checks: [sh("hangs", hanging, { timeout: "300ms" }), sh("b", "true")],
      })
      assert.strictEqual(verdict, "FAILED")
      assert.deepInclude(checks[0], { passed: false, observed: "no end within 300ms; it was stopped" })
      assert.isFalse("exitCode" in checks[0])
      assert.isTrue(checks[1].passed)
      assert.deepStrictEqual(carrying(token), [])
    }),
  )

  it.live("stops the whole group of each running check when it is interrupted", () =>
    Effect.gen(function* () {
      const root = yield* project
      const token = newToken()
      const script = `sh -c ': ${token}; echo ready; while :; do sleep 1; done' & wait`
      const ready = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const onLine = (line: string) =>
        Effect.asVoid(
          Effect.forEach(["a", "b"], (name, n) =>
            line === `${name}: ready` ? Deferred.succeed(ready[n], undefined) : Effect.void,
          ),
        )
      const input = { checks: [sh("a", script), sh("b", script)], parallel: 2 }
      const fiber = yield* Effect.forkChild(judge(root, input, onLine))
      yield* Effect.forEach(ready, (one) => Deferred.await(one))
      assert.isAbove(carrying(token).length, 1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(carrying(token), [])
    }),
  )

  it.live("runs as many at a time as it may", () =>
    Effect.gen(function* () {
      const root = yield* project
      const meet = (own: string, other: string) => `mkfifo out/${own}; until [ -p out/${other} ]; do sleep 0.01; done`
      const checks = [sh("a", meet("a", "b"), { timeout: "20s" }), sh("b", meet("b", "a"), { timeout: "20s" })]
      const { verdict } = yield* judge(root, { checks, parallel: 2 })
      assert.strictEqual(verdict, "PASSED")
    }),
  )

  it.live("judges the code as it lies there: changed, new and removed files count, ignored ones do not", () =>
    Effect.gen(function* () {
      const root = yield* project
      const first = yield* digestOf(root)
      Fs.writeFileSync(join(root, "out", "report"), "anything")
      assert.strictEqual(yield* digestOf(root), first)
      Fs.writeFileSync(join(root, "new.txt"), "new")
      const added = yield* digestOf(root)
      Fs.rmSync(join(root, "new.txt"))
      assert.strictEqual(yield* digestOf(root), first)
      Fs.writeFileSync(join(root, "code.txt"), "two\n")
      const edited = yield* digestOf(root)
      Fs.rmSync(join(root, "code.txt"))
      const removed = yield* digestOf(root)
      Fs.symlinkSync(".gitignore", join(root, "code.txt"))
      const linked = yield* digestOf(root)
      assert.strictEqual(new Set([first, added, edited, removed, linked]).size, 5)
    }),
  )

  it.live("judges all files of a project that is in no repository, but its packages and its home", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      Fs.writeFileSync(join(root, "code.txt"), "one\n")
      const first = yield* digestOf(root)
      Fs.mkdirSync(join(root, "node_modules"))
      Fs.writeFileSync(join(root, "node_modules", "a"), "a")
      assert.strictEqual(yield* digestOf(root), first)
      Fs.mkdirSync(join(root, "sub"))
      Fs.writeFileSync(join(root, "sub", "a"), "a")
      assert.notStrictEqual(yield* digestOf(root), first)
    }),
  )

  it.live("gives no verdict on code that changes while it is checked", () =>
    Effect.gen(function* () {
      const root = yield* project
      const error = yield* Effect.flip(judge(root, { checks: [sh("a", "echo more >> code.txt; exit 1")] }))
      assert.strictEqual(error._tag, "CodeChanged")
      assert.include(error.message, "while it was checked: code.txt (these checks failed: a)")
    }),
  )

  it.live("stops what depends on it in a run, and leaves the verdict and its receipt in the ledger", () =>
    Effect.gen(function* () {
      const root = yield* project
      Fs.cpSync(join(repository, "configs"), join(root, "configs"), { recursive: true })
      Fs.writeFileSync(join(root, ".gitignore"), "out/\n.dandori/\n")
      Fs.mkdirSync(join(root, "pipelines"))
      const text = pipeline(
        "tasks:",
        "  gate: { uses: release-gate, with: { checks: [{ name: tests, argv: [sh, check.sh] }] } }",
        "  release: { uses: command, needs: [gate], with: { argv: [touch, out/released], effects: idempotent } }",
      )
      Fs.writeFileSync(join(root, "pipelines", "p.yaml"), text)
      const dandori = (...args: ReadonlyArray<string>) =>
        spawnSync(process.execPath, [join(repository, "src/cli/main.ts"), ...args], { cwd: root, encoding: "utf8" })
      for (const [code, released] of [
        [1, false],
        [0, true],
      ] as const) {
        Fs.writeFileSync(join(root, "check.sh"), `exit ${code}\n`)
        const run = dandori("run", "p")
        assert.strictEqual(run.status === 0, released, run.stdout + run.stderr)
        assert.strictEqual(Fs.existsSync(join(root, "out", "released")), released)
        assert.include(run.stdout + run.stderr, released ? "gate PASSED" : "tests: exit code 1")
      }
    }),
  )

  it.effect("says in a dry run which checks it would run", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const input = decode({ checks: [sh("a", "touch ran")] })
      const words = yield* (releaseGate.dryRun?.(input) ?? Effect.succeed("")).pipe(
        Effect.provide(given(root)),
        Effect.scoped,
      )
      assert.strictEqual(words, 'would run a ["sh","-c","touch ran"]')
      assert.isFalse(Fs.existsSync(join(root, "ran")))
    }),
  )

  it.effect("takes no expression as code of a check", () =>
    Effect.gen(function* () {
      const check = (argv: string) =>
        pipeline(
          "params: { n: { type: string } }",
          "tasks:",
          `  a: { uses: release-gate, with: { checks: [{ name: x, argv: [a] }, { name: y, argv: ${argv} }] } }`,
        )
      const [mistake] = yield* told(check("[sh, -c, 'echo ${{ params.n }}']"))
      assert.match(mistake, /An expression inside a script would become code/)
      assert.deepStrictEqual(yield* Effect.flip(told(check("[echo, '${{ params.n }}']"))).pipe(Effect.isSuccess), true)
    }),
  )

  it("refuses an input that is no list of named checks", () => {
    for (const input of [
      {},
      { checks: [] },
      { checks: [{ name: "a", argv: [] }] },
      { checks: [{ name: "../a", argv: ["a"] }] },
      { checks: [sh("a", "true"), sh("a", "false")] },
      { checks: [sh("a", "true", { timeout: "5" })] },
      { checks: [sh("a", "true", { severity: "fatal" })] },
      { checks: [sh("a", "true")], parallel: 0 },
    ]) {
      assert.throws(() => decode(input), undefined, undefined, JSON.stringify(input))
    }
  })
})

import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Sha256 } from "../../src/domain/sha256.ts"
import { ArtifactError, Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { layer as processes } from "../../src/services/processes-local.ts"
import { Progress, type ProgressReport } from "../../src/services/progress.ts"
import { layer as secrets } from "../../src/services/secrets.ts"
import { PathRefused, Workspace } from "../../src/services/workspace.ts"
import command from "../../tasks/command/index.ts"
import { CommandInput, CommandOutput } from "../../tasks/command/schema.ts"
import { newFolder } from "../services/processes-machine.fixture.ts"

const project = newFolder()
const decode = Schema.decodeUnknownSync(CommandInput)
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex") as Sha256

/** Runs the task in the project's folder; what it logged and how far it said it was come with its outcome. */
const attempt = (input: unknown) => {
  const log: Array<string> = []
  const reports: Array<ProgressReport> = []
  const services = Layer.mergeAll(
    processes({ folder: path.join(project, ".dandori/processes") }),
    secrets({ project, environment: { DB_PASSWORD: "hunter2-hunter2", PIN: "123456" } }),
    Layer.succeed(Attempt, {
      run: "r1",
      pipeline: "p",
      task: "t",
      attempt: 1,
      plan: "0".repeat(64) as Sha256,
      env: "dev",
      idempotencyKey: "r1/t",
      intent: "0".repeat(64) as Sha256,
      runCreated: 0,
      who: "tester",
      requester: "tester",
      approvedBy: [],
      scratch: project,
      log: (line) => Effect.sync(() => void log.push(line)),
      note: () => Effect.void,
    }),
    Layer.succeed(Progress, { report: (report) => Effect.sync(() => void reports.push(report)) }),
    Layer.succeed(Workspace, {
      project,
      home: path.join(project, ".dandori"),
      resolve: (given) => {
        const full = path.resolve(project, given)
        return full.startsWith(project)
          ? Effect.succeed(full)
          : Effect.fail(new PathRefused({ path: given, reason: "outside the project" }))
      },
      display: (full) => path.relative(project, full),
    }),
    Layer.succeed(Artifacts, {
      put: () => Effect.die("not used"),
      putFile: (name, mediaType, file) =>
        existsSync(file)
          ? Effect.sync(() => {
              const bytes = readFileSync(file)
              return { name, mediaType, bytes: bytes.length, sha256: sha256(bytes) }
            })
          : Effect.fail(new ArtifactError({ sha256: "", reason: "no such file" })),
      get: () => Effect.die("not used"),
      copyTo: () => Effect.die("not used"),
      has: () => Effect.succeed(false),
      pathOf: (digest) => digest,
    }),
  )
  return { log, reports, effect: Effect.provide(command.run(decode(input)), services) }
}

describe("command", () => {
  it.live("returns exit code and output and logs both streams", () =>
    Effect.gen(function* () {
      const { effect, log } = attempt({ argv: ["sh", "-c", "echo out; echo err >&2"] })
      const output = yield* effect
      assert.deepStrictEqual(output, { exitCode: 0, stdout: "out\n", stderr: "err\n", artifacts: [] })
      assert.deepStrictEqual(log.toSorted(), ["err", "out"])
      assert.deepStrictEqual(Schema.decodeUnknownSync(CommandOutput)(JSON.parse(JSON.stringify(output))), output)
    }),
  )

  it.live("fails by another exit code with the last lines of standard error, and is not transient", () =>
    Effect.gen(function* () {
      const script = 'for n in $(seq 30); do echo "line $n" >&2; done; exit 3'
      const error = yield* Effect.flip(attempt({ argv: ["sh", "-c", script] }).effect)
      assert.strictEqual(error._tag, "CommandFailed")
      assert.include(error.message, "sh ended with exit code 3")
      assert.include(error.message, "line 30")
      assert.notInclude(error.message, "line 20\n")
      assert.isFalse("transient" in error)
      assert.isTrue("settled" in error && error.settled)
    }),
  )

  it.live("fails by a signal even when its number is an expected exit code", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(attempt({ argv: ["sh", "-c", "kill -KILL $$"], expectExit: [0, 137] }).effect)
      assert.include(error.message, "signal SIGKILL")
      assert.isFalse("settled" in error && error.settled)
    }),
  )

  it.live("succeeds with an exit code that is expected", () =>
    Effect.gen(function* () {
      const output = yield* attempt({ argv: ["sh", "-c", "exit 3"], expectExit: [0, 3] }).effect
      assert.strictEqual(output.exitCode, 3)
    }),
  )

  it.live("reports progress lines and keeps them out of the log and of the JSON output", () =>
    Effect.gen(function* () {
      const script = `echo '{"progress": {"done": 1, "total": 2, "unit": "files", "note": "a"}}'
        echo '{"progress": "none of ours"}' >&2
        echo '{ "answer":'; echo '{"progress":{"done":2}}'; echo '42 }'`
      const { effect, log, reports } = attempt({ argv: ["sh", "-c", script], parseOutput: "json" })
      const output = yield* effect
      assert.deepStrictEqual(output.json, { answer: 42 })
      assert.deepStrictEqual(reports, [{ done: 1, total: 2, unit: "files", note: "a" }, { done: 2 }])
      assert.deepStrictEqual(log.toSorted(), ["42 }", '{ "answer":', '{"progress": "none of ours"}'].toSorted())
    }),
  )

  it.live("reads JSON output longer than the tail that it keeps", () =>
    Effect.gen(function* () {
      const script = "console.log(JSON.stringify(Array.from({ length: 60_000 }, (_, n) => n)))"
      const output = yield* attempt({ argv: [process.execPath, "-e", script], parseOutput: "json" }).effect
      assert.strictEqual((output.json as ReadonlyArray<number>).length, 60_000)
      assert.strictEqual(output.stdout.length, 65_536)
    }),
  )

  it.live("refuses output that is not one JSON value when JSON was promised", () =>
    Effect.gen(function* () {
      for (const script of ["echo '{}{}'", "echo text", "true"]) {
        const error = yield* Effect.flip(attempt({ argv: ["sh", "-c", script], parseOutput: "json" }).effect)
        assert.strictEqual(error._tag, "CommandOutputUnusable")
      }
    }),
  )

  it.live("keeps its files as artifacts in the order of their names, and says which one is missing", () =>
    Effect.gen(function* () {
      mkdirSync(path.join(project, "work"), { recursive: true })
      const argv = ["sh", "-c", 'printf "%s" "$WORD" > a.txt; cat > b.json']
      const base = { argv, env: { WORD: "hello" }, stdin: "{}", cwd: "work" }
      const output = yield* attempt({ ...base, outputs: { second: "work/b.json", first: "work/a.txt" } }).effect
      assert.deepStrictEqual(output.artifacts, [
        { name: "first", mediaType: "text/plain", bytes: 5, sha256: sha256(new TextEncoder().encode("hello")) },
        { name: "second", mediaType: "application/json", bytes: 2, sha256: sha256(new TextEncoder().encode("{}")) },
      ])
      const error = yield* Effect.flip(attempt({ ...base, outputs: { model: "work/none" } }).effect)
      assert.strictEqual(error._tag, "CommandOutputUnusable")
      assert.include(error.message, "model (work/none)")
    }),
  )

  it.live("gives secrets to the program and keeps them out of log, output and error", () =>
    Effect.gen(function* () {
      const base = { secrets: { PGPASSWORD: "${env:DB_PASSWORD}" } }
      const script = 'echo "{\\"got\\": \\"$PGPASSWORD\\"}"; echo "no $PGPASSWORD" >&2; test ${#PGPASSWORD} = 15'
      const { effect, log } = attempt({ ...base, argv: ["sh", "-c", script], parseOutput: "json" })
      const output = yield* effect
      assert.deepStrictEqual(output.json, { got: "[secret DB_PASSWORD]" })
      assert.notInclude(JSON.stringify([output, log]), "hunter2")
      const error = yield* Effect.flip(attempt({ ...base, argv: ["sh", "-c", `${script}; exit 1`] }).effect)
      assert.include(error.message, "no [secret DB_PASSWORD]")
      const missing = yield* Effect.flip(attempt({ argv: ["true"], secrets: { X: "${env:NOT_SET}" } }).effect)
      assert.strictEqual(missing._tag, "SecretMissing")
    }),
  )

  it.live("hands on numbers and JSON as they are where a secret is a number", () =>
    Effect.gen(function* () {
      const argv = ["sh", "-c", `echo '{"progress":{"done":123456}}'; echo "{\\"n\\":123456,\\"pin\\":\\"$PIN\\"}"`]
      const { effect, reports } = attempt({ argv, secrets: { PIN: "${env:PIN}" }, parseOutput: "json" })
      assert.deepStrictEqual((yield* effect).json, { n: 123456, pin: "[secret PIN]" })
      assert.deepStrictEqual(reports, [{ done: 123456 }])
    }),
  )

  it.live("leaves no part of a secret where output or a long line is cut", () =>
    Effect.gen(function* () {
      const script = `
        const secret = process.env.PW
        process.stderr.write("x".repeat(65_536 - 7) + secret + "y".repeat(65_536 - 8))
        process.stdout.write("a".repeat(1000) + secret + "\\n" + "b".repeat(65_536 - 9))`
      const secrets = { PW: "${env:DB_PASSWORD}" }
      for (const parseOutput of ["none", "json"]) {
        const { effect, log } = attempt({
          argv: [process.execPath, "-e", script],
          secrets,
          expectExit: [0],
          parseOutput,
        })
        const output = yield* Effect.result(effect)
        assert.strictEqual(output._tag, parseOutput === "none" ? "Success" : "Failure")
        const recorded = JSON.stringify([output, log])
        assert.notMatch(recorded, /hunter|unter2|nter2-|2-hun|-hunt/)
        if (output._tag === "Success") assert.isAtLeast(output.success.stdout.length, 65_536 - 9)
        // The lines of both outputs come in any order.
        assert.include(log.filter((line) => !/[ab]/.test(line)).join(""), `x[secret DB_PASSWORD]y`)
      }
    }),
  )

  it.live("refuses a working folder outside the project before anything runs", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(attempt({ argv: ["sh", "-c", "touch ran"], cwd: "../.." }).effect)
      assert.strictEqual(error._tag, "PathRefused")
      assert.isFalse(existsSync(path.join(project, "ran")))
    }),
  )

  it.live("is stopped when it uses more memory than it may", () =>
    Effect.gen(function* () {
      const grow = "const kept = []; setInterval(() => kept.push(Buffer.alloc(8e6, 1)), 5)"
      const error = yield* Effect.flip(attempt({ argv: [process.execPath, "-e", grow], memory: "150MB" }).effect)
      assert.strictEqual(error._tag, "MemoryExceeded")
    }),
  )

  it("refuses an input that could not be run", () => {
    for (const input of [
      { argv: [] },
      { argv: ["a\0b"] },
      { argv: ["true"], env: { "1X": "" } },
      { argv: ["true"], secrets: { X: "plain" } },
      { argv: ["true"], grace: "5" },
      { argv: ["true"], effects: "irreversible" },
      { argv: ["true"], outputs: { "../x": "y" } },
    ]) {
      assert.throws(() => decode(input))
    }
  })
})

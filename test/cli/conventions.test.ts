import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, project } from "./evidence-project.ts"

const hello = `version: 1
id: hello
tasks:
  tell: { uses: notify, with: { channel: ml-ops, text: hi } }
`

const withHello = Effect.tap(project, (folder) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(folder, "pipelines"))
    await Fs.writeFile(join(folder, "pipelines/hello.yaml"), hello)
  }),
)

describe("every command", () => {
  it.effect(
    "that is called with words that do not fit says so in a few lines of standard error, and ends with 64",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        for (const [args, words, help] of [
          [["nope"], /Unknown subcommand "nope"/, "dandori --help"],
          [["nope", "--help"], /Unknown subcommand "nope"/, "dandori --help"],
          [
            ["--env", "dev", "ledgr", "verify", "-h"],
            /"ledgr" for "dandori"\s+Did you mean.*\s+ledger/,
            "dandori --help",
          ],
          [["runs", "shwo", "--help"], /"shwo" for "dandori runs"\s+Did you mean.*\s+show/, "dandori runs --help"],
          [["cordon", "lift"], /id/, "dandori cordon lift --help"],
          [["runs", "resolve", "x", "y", "--json"], /--as/, "dandori runs resolve --help"],
          [["run", "--nope"], /--nope/, "dandori run --help"],
        ] as const) {
          const { code, err, out } = yield* dandori(folder, ...args)
          assert.deepStrictEqual([code, out], [64, ""], args.join(" "))
          assert.match(err, words)
          assert.include(err, help)
          assert.isAtMost(err.split("\n").length, 10, err)
        }
      }).pipe(Effect.scoped),
  )

  it.effect("shows its help to who asks for it, whatever else is said", () =>
    Effect.gen(function* () {
      const folder = yield* project
      for (const [args, usage] of [
        [["--help"], "dandori <subcommand>"],
        [["--env", "dev", "--help"], "dandori <subcommand>"],
        [["runs", "--json", "-h"], "dandori runs <subcommand>"],
        [["runs", "show", "nope", "--help"], "dandori runs show"],
        [["run", "runs", "--env", "dev", "--help"], "dandori run "],
      ] as const) {
        const { code, err, out } = yield* dandori(folder, ...args)
        assert.deepStrictEqual([code, err], [0, ""], args.join(" "))
        assert.include(out, usage)
      }
    }).pipe(Effect.scoped),
  )

  it.effect("that prints text gives it as one versioned line with --json", () =>
    Effect.gen(function* () {
      const folder = yield* withHello
      for (const [args, expected] of [
        [["version"], { kind: "version" }],
        [["graph", "hello"], { kind: "graph", pipeline: "hello", format: "terminal" }],
        [["graph", "hello", "-f", "mermaid"], { kind: "graph", pipeline: "hello", format: "mermaid" }],
        [["convert", "hello", "--to", "ts"], { kind: "conversion", to: "ts" }],
        [
          ["convert", "hello", "--to", "ts", "-o", "pipelines/hi.ts"],
          { kind: "conversion", to: "ts", file: "pipelines/hi.ts" },
        ],
        [["compile", "hello", "--digest"], { kind: "digest", pipeline: "hello" }],
        [["completion", "bash"], { kind: "completion", shell: "bash" }],
      ] as const) {
        const { code, out } = yield* dandori(folder, ...args, "--json")
        assert.strictEqual(code, 0, args.join(" "))
        const lines = ndjson(out)
        assert.lengthOf(lines, 1)
        assert.deepInclude(lines[0], { v: 1, ...expected })
      }
      const schema = yield* dandori(folder, "schema", "--json")
      assert.lengthOf(ndjson(schema.out), 1)
      assert.deepInclude(ndjson(schema.out)[0], { title: "Dandori pipeline" })
    }).pipe(Effect.scoped),
  )

  it.effect("that is given a pipeline which is not there ends with 66 and names those that are", () =>
    Effect.gen(function* () {
      const folder = yield* withHello
      for (const args of [
        ["run", "helo"],
        ["validate", "helo"],
        ["graph", "helo"],
        ["run", "helo.yaml"],
      ]) {
        const { code, err } = yield* dandori(folder, ...args)
        assert.strictEqual(code, 66, args.join(" "))
        assert.include(err, "helo")
      }
      assert.include((yield* dandori(folder, "run", "helo")).err, 'Did you mean "hello"? pipelines/ has hello.')
    }).pipe(Effect.scoped),
  )
})

describe("dandori run", () => {
  it.effect("refuses flags that say nothing together", () =>
    Effect.gen(function* () {
      const folder = yield* withHello
      for (const args of [
        ["hello", "--dry-run", "--from", "tell"],
        ["hello", "--of", "0199"],
        ["hello", "--resume", "0199"],
        ["--resume", "0199", "--param", "a=b"],
        ["--resume", "0199", "--dry-run"],
      ]) {
        const { code, err, out } = yield* dandori(folder, "run", ...args)
        assert.deepStrictEqual([code, out], [64, ""], args.join(" "))
        assert.include(err, "--", args.join(" "))
      }
    }).pipe(Effect.scoped),
  )
})

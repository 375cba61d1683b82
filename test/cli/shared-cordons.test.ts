import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"
import { dandori, ndjson, project, start } from "./evidence-project.ts"

const hello =
  "version: 1\nid: hello\ntasks:\n  work: { uses: command, with: { argv: [echo, hi], effects: idempotent } }\n"
const inFiles = "store: files\ndurability: fsync\nflushInterval: 1s\n"

/** A checkout whose registry is in the database, and its ledger where `ledger` says. */
const checkout = Effect.fnUntraced(function* (url: string, ledger = inFiles) {
  const folder = yield* project
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(folder, "secrets"), { mode: 0o700 })
    await Fs.mkdir(join(folder, "pipelines"))
    await Fs.writeFile(join(folder, "secrets/dsn"), url, { mode: 0o600 })
    const section = "backend: postgres\ndsn: ${file:secrets/dsn}\ntimeout: 2s\n"
    await Fs.writeFile(join(folder, "configs/envs/dev/database.yaml"), section)
    await Fs.writeFile(join(folder, "configs/envs/dev/ledger.yaml"), ledger)
    await Fs.writeFile(join(folder, "pipelines/hello.yaml"), hello)
  })
  return {
    folder,
    raise: (...more: ReadonlyArray<string>) => dandori(folder, "cordon", "raise", "ir-1", "--reason", "full", ...more),
    lift: dandori(folder, "cordon", "lift", "ir-1", "--reason", "cleaned up"),
    check: (...more: ReadonlyArray<string>) => dandori(folder, "cordon", "check", ...more),
  }
})

layer(Databases.layer, { excludeTestServices: true })("a cordon on the command line of two checkouts", (test) => {
  for (const [where, ledger] of [
    ["registry", inFiles],
    ["ledger", "store: postgres\n"],
  ]) {
    test.effect(
      `that share their ${where} in PostgreSQL is raised, checked and lifted for both; a run waits for it`,
      () =>
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          const [one, two] = yield* Effect.all([checkout(url, ledger), checkout(url, ledger)])
          assert.strictEqual((yield* two.check()).code, 0)
          const raised = yield* one.raise()
          assert.strictEqual(raised.code, 0, raised.err)
          assert.notInclude(raised.err, "degraded")
          const seen = yield* two.check("hello")
          assert.strictEqual(seen.code, 75, seen.err)
          assert.match(seen.out, /ir-1 {2}raised .*: full/)
          const again = yield* two.raise()
          assert.strictEqual(again.code, 64)
          assert.match(again.err, /A cordon ir-1 is raised already/)
          const run = start(two.folder, ["run", "hello", "--json"])
          const waiting = start(two.folder, ["cordon", "check", "--wait"])
          yield* Effect.promise(async () => {
            const reader = run.stdout.getReader()
            let text = ""
            while (!text.includes("run.held")) text += new TextDecoder().decode((await reader.read()).value)
            assert.notInclude(text, "attempt.started")
            reader.releaseLock()
          })
          const lifted = yield* one.lift
          assert.strictEqual(lifted.code, 0, lifted.err)
          assert.strictEqual(yield* Effect.promise(() => waiting.exited), 0)
          assert.strictEqual(yield* Effect.promise(() => run.exited), 0)
        }),
    )
  }
})

describe("a cordon on the command line while PostgreSQL is away", () => {
  it.live("is raised by the file and says what it could not do, counts as raised, and is lifted when it is back", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const [one, two] = yield* Effect.all([checkout(server.url), checkout(server.url)])
      yield* Effect.promise(() => server.stop("SIGINT"))
      const raised = yield* one.raise("--json")
      assert.strictEqual(raised.code, 0, raised.err)
      assert.match(raised.err, /^degraded: connect at PostgreSQL .*start the server/m)
      assert.match(String(ndjson(raised.out)[0].degraded), /start the server/)
      const seen = yield* two.check("--json")
      assert.strictEqual(seen.code, 75, seen.err)
      const [{ cordon, raised: isRaised }] = ndjson(seen.out)
      assert.isTrue(isRaised)
      assert.match(JSON.stringify(cordon), /in PostgreSQL cannot be read, which counts as raised: .*start the server/)
      const still = yield* one.lift
      assert.strictEqual(still.code, 69, still.out)
      assert.match(still.err, /The cordon ir-1 may still stand: .*Lift it again when that is mended/)
      yield* Effect.acquireRelease(
        Effect.promise(() => server.again()),
        (back) => Effect.promise(() => back.stop("SIGINT")),
      )
      assert.strictEqual((yield* two.check()).code, 0)
      assert.strictEqual((yield* one.raise()).code, 0)
      assert.strictEqual((yield* two.check()).code, 75)
      assert.strictEqual((yield* two.lift).code, 0)
      assert.strictEqual((yield* one.check()).code, 0)
    }),
  )

  it.live("is raised though the ledger is there, too, and says that it is not recorded", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const one = yield* checkout(server.url, "store: postgres\n")
      assert.strictEqual((yield* one.raise()).code, 0)
      assert.strictEqual((yield* one.lift).code, 0)
      yield* Effect.promise(() => server.stop("SIGINT"))
      const raised = yield* one.raise()
      assert.strictEqual(raised.code, 0, raised.err)
      assert.match(raised.err, /^degraded: /m)
      assert.match(raised.err, /It could not be recorded in the ledger: .*start the server/)
      const file = join(one.folder, ".dandori/cordons/ir-1.json")
      assert.deepInclude(JSON.parse(yield* Effect.promise(() => Fs.readFile(file, "utf8"))), {
        id: "ir-1",
        reason: "full",
      })
    }),
  )
})

describe("a cordon where the configuration cannot be read", () => {
  it.live("is raised by the file, and counts as raised; with the embedded database it is not even read", () =>
    Effect.gen(function* () {
      const one = yield* checkout("postgres://nobody@127.0.0.1:1/none")
      const broken = Fs.writeFile(join(one.folder, "configs/envs/dev/training.yaml"), "nonsense: [\n")
      yield* Effect.promise(() => broken)
      const raised = yield* one.raise()
      assert.strictEqual(raised.code, 0, raised.err)
      assert.match(raised.err, /^degraded: .*training\.yaml/m)
      assert.strictEqual((yield* one.lift).code, 69)
      const seen = yield* one.check()
      assert.strictEqual(seen.code, 75, seen.err)
      assert.match(seen.out, /in PostgreSQL cannot be read, which counts as raised: .*training\.yaml/)
      yield* Effect.promise(() =>
        Fs.writeFile(join(one.folder, "configs/envs/dev/database.yaml"), "backend: embedded # here\n"),
      )
      const free = yield* one.check()
      assert.strictEqual(free.code, 0, free.out)
    }),
  )
})

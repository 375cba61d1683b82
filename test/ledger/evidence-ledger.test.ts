import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { LedgerKey } from "../../src/ledger/keys.ts"
import * as Receipts from "../../src/ledger/receipts.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Evidence } from "../../src/services/evidence.ts"
import * as Project from "./fixtures/project.ts"

const subject = Project.digest("model bytes")

const inProject = <A, E, R>(use: (home: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Project.folder, (home) => use(home).pipe(Effect.provide(Project.projectAt(home))))

describe("the ledger's evidence", () => {
  it.live("finds the receipts of some bytes, newest run first, and they hold", () =>
    inProject((home) =>
      Effect.gen(function* () {
        const first = yield* Project.writeGatedRun(home, Project.runId(1), "model bytes")
        const second = yield* Project.writeGatedRun(home, Project.runId(2), "model bytes", "FAILED")
        yield* Project.writeGatedRun(home, Project.runId(3), "other bytes")
        const evidence = yield* Evidence
        const found = yield* evidence.receiptsFor(subject)
        assert.deepStrictEqual(
          found.map(({ artifact, problem, statement }) => [artifact, problem, statement.predicate.result]),
          [
            [second.receipt, undefined, "FAILED"],
            [first.receipt, undefined, "PASSED"],
          ],
        )
        assert.isTrue(yield* evidence.holds(Project.runId(1), first.event.hash))
        assert.isFalse(yield* evidence.holds(Project.runId(2), first.event.hash))
        assert.isFalse(yield* evidence.holds(Project.runId(9), first.event.hash))
        assert.strictEqual((yield* evidence.head).entries, 6)
        assert.deepStrictEqual(yield* evidence.receiptsFor(Project.digest("nothing")), [])
      }),
    ),
  )

  it.live("builds the index anew from the ledger, with the same receipts", () =>
    inProject((home) =>
      Effect.gen(function* () {
        yield* Project.writeGatedRun(home, Project.runId(1), "model bytes")
        yield* Project.writeGatedRun(home, Project.runId(2), "model bytes")
        const evidence = yield* Evidence
        const before = yield* evidence.receiptsFor(subject)
        yield* Effect.promise(() => Fs.rm(join(home, "receipts"), { recursive: true }))
        assert.deepStrictEqual(yield* evidence.receiptsFor(subject), [])
        assert.strictEqual(yield* Receipts.rebuild(home), 2)
        assert.deepStrictEqual(yield* evidence.receiptsFor(subject), before)
      }),
    ),
  )

  it.live("tells a receipt whose bytes were altered or are gone from one that never was", () =>
    inProject((home) =>
      Effect.gen(function* () {
        const altered = yield* Project.writeGatedRun(home, Project.runId(1), "model bytes")
        const gone = yield* Project.writeGatedRun(home, Project.runId(2), "model bytes")
        const evidence = yield* Evidence
        assert.deepStrictEqual(yield* evidence.unreadable(subject), [])
        const fileOf = (sha256: string) =>
          Effect.promise(async () => {
            const names = await Fs.readdir(join(home, "artifacts"), { recursive: true })
            return join(home, "artifacts", names.find((name) => name.endsWith(sha256.slice(2))) ?? "nowhere")
          })
        const [one, two] = [yield* fileOf(altered.receipt.sha256), yield* fileOf(gone.receipt.sha256)]
        yield* Effect.promise(async () => {
          await Fs.chmod(one, 0o644)
          await Fs.writeFile(one, (await Fs.readFile(one, "utf8")).replace("payload", "payl0ad"))
          await Fs.rm(two)
        })
        assert.deepStrictEqual(yield* evidence.receiptsFor(subject), [])
        const problems = yield* evidence.unreadable(subject)
        assert.strictEqual(problems.length, 2)
        for (const { receipt } of [altered, gone]) {
          assert.isTrue(
            problems.some((each) => each.startsWith(`the receipt ${receipt.sha256.slice(0, 12)}… cannot be read: `)),
          )
        }
      }),
    ),
  )

  it.live("gives the output of a task that has succeeded, and none of another", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const run = Project.runId(7)
      yield* Effect.gen(function* () {
        yield* Project.writeRun(run, Project.attempts(4))
        const evidence = yield* Evidence
        assert.deepStrictEqual(yield* evidence.outputOf(run, "task_2"), Option.some({ "10": 3, "9": [] }))
        assert.isTrue(Option.isNone(yield* evidence.outputOf(run, "task_9")))
        assert.isTrue(Option.isNone(yield* evidence.outputOf(Project.runId(8), "task_2")))
      }).pipe(Effect.provide(Project.projectAt(home)))
    }),
  )

  it.live("says why the last attempt of a task has failed", () =>
    inProject((home) =>
      Effect.gen(function* () {
        yield* Project.writeGatedRun(home, Project.runId(1), "model bytes", "PASSED")
        const evidence = yield* Evidence
        assert.isTrue(Option.isNone(yield* evidence.failureOf(Project.runId(1), "judge")))
        assert.isTrue(Option.isNone(yield* evidence.failureOf(Project.runId(9), "judge")))
        const error = { tag: "GateFailed", message: "The gate says FAILED: it loses money" }
        // As a gate that has refused: its output is kept, and is none of a task that has succeeded.
        const attempt = { task: "judge", attempt: 1, error, millis: 1, output: { verdict: "FAILED" } }
        yield* Project.writeRun(Project.runId(2), [{ type: "dev.dandori.attempt.failed.v1", data: attempt }])
        assert.deepStrictEqual(yield* evidence.failureOf(Project.runId(2), "judge"), Option.some(error))
        assert.isTrue(Option.isNone(yield* evidence.outputOf(Project.runId(2), "judge")))
      }),
    ),
  )

  it.live("names what is wrong with receipts that do not hold", () =>
    inProject((home) =>
      Effect.gen(function* () {
        const { receipt, event } = yield* Project.writeGatedRun(home, Project.runId(1), "model bytes", "FAILED")
        const evidence = yield* Evidence
        const artifacts = yield* Artifacts
        const honest = {
          gate: Project.gate("model bytes", "FAILED"),
          entry: event.hash,
          sequence: event.sequence,
          env: "dev",
          plan: Project.digest(Project.plan),
          run: Project.runId(1),
          task: "judge",
          type: "backtest_gate",
        } as const
        assert.deepStrictEqual(yield* Receipts.issue(home, honest), receipt)
        const problemOf = (claim: Receipts.GateEvent) =>
          Effect.gen(function* () {
            const { sha256 } = yield* Receipts.issue(home, claim)
            const found = yield* evidence.receiptsFor(claim.gate.subjects[0].sha256)
            return found.find(({ artifact }) => artifact.sha256 === sha256)?.problem
          })
        const saysElse = "it says something else than its event in the ledger"
        assert.include(yield* problemOf({ ...honest, gate: Project.gate("model bytes") }), "of another kind")
        assert.include(yield* problemOf({ ...honest, gate: Project.gate("evil bytes", "FAILED") }), saysElse)
        assert.include(yield* problemOf({ ...honest, env: "prod" }), saysElse)
        assert.include(yield* problemOf({ ...honest, plan: Project.digest("p2") }), saysElse)
        assert.include(yield* problemOf({ ...honest, type: "dq_gate" }), saysElse)
        const weaker = { ...honest.gate, policy: { name: "lax", sha256: Project.digest("lax") } }
        assert.include(yield* problemOf({ ...honest, gate: weaker }), saysElse)
        assert.include(yield* problemOf({ ...honest, entry: Project.digest("x") }), "not in the ledger of run")
        assert.include(yield* problemOf({ ...honest, run: Project.runId(7) }), "not in the ledger of run")

        const envelope = JSON.parse(new TextDecoder().decode(yield* artifacts.get(receipt.sha256)))
        const plant = (changed: unknown) =>
          Effect.gen(function* () {
            const planted = yield* artifacts.put("r", "application/json", CanonicalJson.encode(changed))
            yield* Effect.promise(() =>
              Fs.writeFile(join(home, "receipts", subject, `${planted.sha256}.json`), JSON.stringify(planted)),
            )
            const found = yield* evidence.receiptsFor(subject)
            return found.find(({ artifact }) => artifact.sha256 === planted.sha256)?.problem
          })
        const [signature] = envelope.signatures
        const sig = Buffer.from(signature.sig, "base64")
        sig[5]! ^= 1
        const flipped = [{ ...signature, sig: sig.toString("base64") }]
        assert.include(yield* plant({ ...envelope, signatures: flipped }), "signature is wrong")
        const stranger = [{ ...signature, keyid: Project.digest("k") }]
        assert.include(yield* plant({ ...envelope, signatures: stranger }), "not signed by this ledger's key")
        const other = yield* Project.writeGatedRun(home, Project.runId(2), "other bytes")
        const foreign = JSON.parse(new TextDecoder().decode(yield* artifacts.get(other.receipt.sha256)))
        assert.include(yield* plant({ ...foreign, payload: foreign.payload }), "names other bytes")

        yield* Effect.promise(() => Fs.writeFile(join(home, "receipts", subject, "junk.json"), "{"))
        const holding = (yield* evidence.receiptsFor(subject)).filter(({ problem }) => problem === undefined)
        assert.deepStrictEqual(
          holding.map(({ artifact }) => artifact),
          [receipt],
        )
      }),
    ),
  )

  it.live("signs with the ledger's key", () =>
    inProject(() =>
      Effect.gen(function* () {
        const evidence = yield* Evidence
        const key = yield* LedgerKey
        const bytes = new TextEncoder().encode("some bytes")
        const { keyid, signature } = yield* evidence.sign(bytes)
        assert.strictEqual(keyid, key.keyid)
        assert.isTrue(yield* key.verify(bytes, signature))
        assert.isFalse(yield* key.verify(new TextEncoder().encode("other bytes"), signature))
        assert.strictEqual(yield* evidence.publicKey, key.publicPem)
      }),
    ),
  )
})

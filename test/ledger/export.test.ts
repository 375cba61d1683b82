import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { exportRun } from "../../src/ledger/export.ts"
import { preAuthEncoding } from "../../src/domain/receipt.ts"
import * as Ed25519 from "../../src/ledger/ed25519.ts"
import { LedgerKey } from "../../src/ledger/keys.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Verify from "../../src/ledger/verify.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as Project from "./fixtures/project.ts"

const run = Project.runId(3)

/** The commands in a README: its lines that are indented by four or six. */
const script = (readme: string) =>
  readme
    .split("\n")
    .filter((line) => /^ {4}( {2})?\S/.test(line))
    .join("\n")
const shell = (cwd: string, commands: string) =>
  Effect.promise(async () => {
    const child = Bun.spawn(["sh", "-e", "-c", commands], { cwd, stdout: "pipe", stderr: "pipe" })
    const [out, error, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { code, out: out + error }
  })

/** An exported run with a receipt, in a ledger with other runs. */
const exported = Effect.gen(function* () {
  const home = yield* Project.folder
  const into = join(home, "export")
  return yield* Effect.gen(function* () {
    yield* Project.writeRun(Project.runId(1), Project.attempts(3))
    yield* Project.writeRun(Project.runId(2), [], { open: true })
    yield* Project.writeGatedRun(home, run, "model bytes")
    yield* Project.writeRun(Project.runId(4), [])
    const what = yield* exportRun(run, into)
    const again = yield* Effect.flip(exportRun(run, into))
    assert.include(again.message, "exists already")
    const key = yield* LedgerKey
    const config = (yield* Artifacts).pathOf(Project.digest("{}"))
    return { home, into, what, key, config, readme: yield* read(join(into, "README.txt")) }
  }).pipe(Effect.provide(Project.projectAt(home)))
})
const read = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))
const change = (path: string, by: (text: string) => string) =>
  Effect.promise(async () => Fs.writeFile(path, by(await Fs.readFile(path, "utf8"))))
/** A proof without the entries whose lines say something. */
const without = (what: RegExp) => (text: string) => {
  const proof: { readonly entries: ReadonlyArray<{ readonly line: string }> } = JSON.parse(text)
  return JSON.stringify({ ...proof, entries: proof.entries.filter(({ line }) => !what.test(line)) })
}
const verify = (folder: string, key?: string) =>
  Verify.verify(folder, key === undefined ? {} : { key }).pipe(Effect.provide(Project.platform))

describe("an exported run", () => {
  it.live("is checked by the commands of its README, without the program", () =>
    Effect.gen(function* () {
      const { home, into, what, readme, config } = yield* exported
      assert.deepStrictEqual(what, { folder: into, events: 5, receipts: 1, artifacts: 3, checkpoint: 8 })
      const answer = yield* shell(into, script(readme))
      assert.strictEqual(answer.code, 0, answer.out)
      assert.strictEqual(answer.out.match(/Signature Verified Successfully/g)?.length, 2)
      const artifacts = `sha256sum -c --ignore-missing '${join(into, "artifacts.sha256")}'`
      const good = yield* shell(home, artifacts)
      assert.strictEqual(good.code, 0, good.out)
      assert.strictEqual(good.out.match(/: OK/g)?.length, 3)
      yield* Effect.promise(() => Fs.chmod(config, 0o644))
      yield* change(config, (text) => `${text} `)
      assert.strictEqual((yield* shell(home, artifacts)).code, 1)
    }),
  )

  it.live("is refused by those commands, each for itself, when something was changed", () =>
    Effect.gen(function* () {
      const { into, readme } = yield* exported
      const commands = script(readme)
      assert.strictEqual((yield* shell(into, commands)).code, 0)
      const withoutDigests = commands.replace("sha256sum -c --quiet files.sha256", "true")
      const damage: ReadonlyArray<readonly [string, (text: string) => string]> = [
        ["events.ndjson", (text) => text.replace('"tester"', '"nobody"')],
        ["events.ndjson", (text) => text.split("\n").toSpliced(1, 1).join("\n")],
        ["plan.json", (text) => `${text} `],
        ["checkpoint.txt", (text) => text.replace("\n8\n", "\n7\n")],
      ]
      for (const [name, by] of damage) {
        const before = yield* read(join(into, name))
        yield* change(join(into, name), by)
        const found = yield* shell(into, commands)
        assert.notStrictEqual(found.code, 0, name)
        const alone = yield* shell(into, withoutDigests)
        assert.notStrictEqual(alone.code, 0, `${name} ${alone.out}`)
        yield* change(join(into, name), () => before)
      }
      const [receipt] = yield* Effect.promise(() => Fs.readdir(join(into, "receipts")))
      yield* change(join(into, "receipts", receipt), (text) => {
        const envelope = JSON.parse(text)
        const payload = Buffer.from(envelope.payload, "base64").toString().replace("PASSED", "WARNED")
        return text.replace(envelope.payload, Buffer.from(payload).toString("base64"))
      })
      assert.notStrictEqual((yield* shell(into, withoutDigests)).code, 0)
    }),
  )

  it.live("verifies by its files alone, and no change of its events, proof or checkpoint passes", () =>
    Effect.gen(function* () {
      const { into, key } = yield* exported
      const report = yield* verify(into, key.publicPem)
      assert.deepStrictEqual([report.exitCode, report.entries, report.key.pinned], [0, 5, true], JSON.stringify(report))
      assert.strictEqual(report.checkpoint?.size, 8)
      assert.deepStrictEqual(report.uncovered, [])
      assert.isFalse((yield* verify(into)).key.pinned)
      const stranger = yield* Ed25519.generate
      assert.strictEqual((yield* verify(into, stranger.publicKey.pem)).exitCode, 12)
      const damage: ReadonlyArray<readonly [string, number, (text: string) => string]> = [
        ["events.ndjson", 10, (text) => text.replace('"tester"', '"nobody"')],
        ["events.ndjson", 13, (text) => `${text.split("\n").slice(0, -2).join("\n")}\n`],
        ["proof.json", 10, (text) => text.replace('"index":4', '"index":5')],
        ["proof.json", 10, (text) => text.replace('\\"entries\\":5', '\\"entries\\":4')],
        ["proof.json", 10, (text) => text.replace('"size":8', '"size":7')],
        ["proof.json", 10, () => "{}"],
        ["checkpoint.txt", 12, (text) => text.replace("\n8\n", "\n7\n")],
        ["checkpoint.txt", 10, () => ""],
        ["plan.json", 10, () => "another plan"],
        ["artifacts.sha256", 10, (text) => text.replace(/^[0-9a-f]{4}/, "0000")],
        ["artifacts.sha256", 10, () => ""],
        ["proof.json", 13, without(/stream\.opened/)],
        ["proof.json", 13, without(/stream\.closed/)],
        ["proof.json", 13, without(/stream/)],
      ]
      for (const [name, code, by] of damage) {
        const before = yield* read(join(into, name))
        assert.notStrictEqual(by(before), before, `${name} ${by}`)
        yield* change(join(into, name), by)
        const found = yield* verify(into, key.publicPem)
        assert.strictEqual(found.exitCode, code, `${name} ${by} ${JSON.stringify(found.faults)}`)
        yield* change(join(into, name), () => before)
      }
    }),
  )

  it.live("verifies only with the plan, the receipts and the list of artifacts that its events name", () =>
    Effect.gen(function* () {
      const { into, key } = yield* exported
      const [receipt = ""] = yield* Effect.promise(() => Fs.readdir(join(into, "receipts")))
      const answer = (name: string) =>
        Effect.map(verify(into, key.publicPem), ({ exitCode, faults }) => [
          exitCode,
          faults.some(({ stream }) => stream === name),
        ])
      for (const name of ["plan.json", "artifacts.sha256", `receipts/${receipt}`]) {
        const before = yield* read(join(into, name))
        yield* Effect.promise(() => Fs.rm(join(into, name)))
        assert.deepStrictEqual(yield* answer(name), [13, true], name)
        yield* Effect.promise(() => Fs.writeFile(join(into, name), before))
        assert.deepStrictEqual(yield* answer(name), [0, false], name)
      }
      yield* change(join(into, "receipts", receipt), (text) => text.replace("sig", "sog"))
      assert.deepStrictEqual(yield* answer(`receipts/${receipt}`), [10, true])
      yield* change(join(into, "receipts", receipt), (text) => text.replace("sog", "sig"))
      yield* Effect.promise(() => Fs.copyFile(join(into, "receipts", receipt), join(into, "receipts/more.json")))
      assert.deepStrictEqual(yield* answer("receipts/more.json"), [10, true])
    }),
  )

  it.live("verifies with a receipt only when a known key has signed it", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const into = join(home, "export")
      yield* Effect.gen(function* () {
        const ledger = yield* Ledger
        const stranger = yield* Ed25519.generate
        const key = yield* LedgerKey
        const { receipt } = yield* Project.writeGatedRun(home, Project.runId(1), "model bytes")
        const envelope = JSON.parse(new TextDecoder().decode(yield* (yield* Artifacts).get(receipt.sha256)))
        const signed = preAuthEncoding(envelope.payloadType, Buffer.from(envelope.payload, "base64"))
        const sig = Buffer.from(yield* stranger.sign(signed)).toString("base64")
        const forge = (keyid: string) => JSON.stringify({ ...envelope, signatures: [{ keyid, sig }] })
        const answers = yield* Effect.forEach([stranger.publicKey.keyid, key.keyid], (keyid, n) =>
          Effect.gen(function* () {
            const forged = yield* (yield* Artifacts).put("r", "application/json", forge(keyid))
            const id = Project.runId(n + 2)
            yield* Project.writeRun(id, [
              { type: "dev.dandori.attempt.started.v1", data: { task: "judge", attempt: 1 } },
              {
                type: "dev.dandori.attempt.succeeded.v1",
                data: { task: "judge", attempt: 1, output: {}, receipts: [forged] },
              },
            ])
            yield* exportRun(id, `${into}${n}`)
            return (yield* verify(`${into}${n}`, key.publicPem)).exitCode
          }),
        )
        assert.deepStrictEqual(answers, [12, 10])
        assert.lengthOf(yield* ledger.runs, 3)
      }).pipe(Effect.provide(Project.projectAt(home)))
    }),
  )
})

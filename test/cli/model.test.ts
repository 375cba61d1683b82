import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Checksums from "../../src/domain/checksums.ts"
import { type AliasMove } from "../../src/domain/registry.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { dandori, ndjson, project } from "./evidence-project.ts"
import { digestOf, file, filesOf, inState, receipt, rewrite, rewriteMoves, withModels } from "./model-place.ts"

describe("dandori model list", () => {
  it.live("marks the deployed version and the synthetic one, newest first", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      const { code, out } = yield* dandori(folder, "model", "list")
      assert.strictEqual(code, 0)
      const [, first = "", second = ""] = out.split("\n")
      assert.match(first, /^\* {2}v2 +EURUSD-GBPUSD\/1h +deployed .*SYNTHETIC$/)
      assert.match(second, /^ {3}v1 +EURUSD-GBPUSD\/1h +archived /)
      assert.notInclude(second, "SYNTHETIC")
      assert.strictEqual((yield* dandori(folder, "model", "list", "--status", "archived", "-q")).out, "v1\n")
      const json = ndjson((yield* dandori(folder, "model", "list", "--slot", "EURUSD-GBPUSD/1h", "--json")).out)
      assert.lengthOf(json, 2)
      assert.deepInclude(json[0], { v: 1, kind: "model", version: "v2", status: "deployed", synthetic: true })
    }).pipe(Effect.scoped),
  )

  it.live("lists nothing in a new project and makes nothing there", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "model", "list")
      assert.deepStrictEqual({ code, out }, { code: 0, out: "" })
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), ["configs"])
    }).pipe(Effect.scoped),
  )
})

describe("dandori model at", () => {
  it.live("tells who was champion at a moment, since when, by whom, and that the ledger has the intent", () =>
    Effect.gen(function* () {
      const { folder, one, two, intent } = yield* withModels
      const { code, out } = yield* dandori(folder, "model", "at", one.at, "--slot", "EURUSD-GBPUSD/1h")
      assert.strictEqual(code, 0, out)
      assert.match(
        out,
        new RegExp(`^EURUSD-GBPUSD/1h {2}champion v1\n {2}since +${one.at}\n {2}moved by tester: gates passed$`, "m"),
      )
      assert.include(out, `receipt  ${receipt}`)
      assert.match(out, new RegExp(`intent +${intent} {2}in the ledger: line 2, attempt.started at`))
      const later = yield* dandori(folder, "model", "at", "now", "--json")
      const [answer] = ndjson(later.out)
      assert.deepInclude(answer, { v: 1, kind: "model-at" })
      const [{ move }] = answer.slots as [{ move: Record<string, unknown> }]
      assert.deepInclude(move, { version: "v2", at: two.at, who: "bob", from: "v1", synthetic: true })
      assert.deepStrictEqual(move.attestation, { attested: false })
    }).pipe(Effect.scoped),
  )

  it.live("has alias for what champion stands for now, of each slot", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      const { code, out } = yield* dandori(folder, "model", "alias", "-q")
      assert.deepStrictEqual({ code, out }, { code: 0, out: "EURUSD-GBPUSD/1h v2\n" })
      const [answer] = ndjson((yield* dandori(folder, "model", "alias", "--json")).out)
      const [{ move }] = answer.slots as [{ move: Record<string, unknown> }]
      assert.deepInclude(move, { version: "v2", from: "v1", who: "bob" })
      const unknown = yield* dandori(folder, "model", "alias", "--slot", "EURUSD-USDJPY/1h")
      assert.strictEqual(unknown.code, 64)
    }).pipe(Effect.scoped),
  )

  it.live("is exit 66 where no model was ever registered, for at, alias and history alike", () =>
    Effect.gen(function* () {
      const folder = yield* project
      for (const args of [["at", "now"], ["alias"], ["history"]]) {
        const { code, err } = yield* dandori(folder, "model", ...args)
        assert.strictEqual(code, 66, args[0])
        assert.include(err, "No model has been registered yet")
      }
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), ["configs"])
    }).pipe(Effect.scoped),
  )

  it.live("says UNATTESTED where the ledger has no such entry, and none before the first deployment", () =>
    Effect.gen(function* () {
      const { folder, two } = yield* withModels
      const now = yield* dandori(folder, "model", "at", two.at)
      assert.match(now.out, /champion v2 {2}SYNTHETIC$/m)
      assert.match(now.out, /intent +[0-9a-f]{64} {2}UNATTESTED: the ledger has no such entry/)
      const before = yield* dandori(folder, "model", "at", "2020-05-05 03:14")
      assert.strictEqual(
        before.out,
        "at 2020-05-05T03:14:00.000Z\nEURUSD-GBPUSD/1h  champion none: nothing had been deployed\n",
      )
      assert.strictEqual(
        (yield* dandori(folder, "model", "at", "2020-05-05T12:14+09:00", "-q")).out,
        "EURUSD-GBPUSD/1h none\n",
      )
    }).pipe(Effect.scoped),
  )

  it.live("exits with 10 when a row of the history was changed behind the registry's back", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      yield* Effect.promise(async () => {
        const { Database } = await import("bun:sqlite")
        const database = new Database(join(folder, ".dandori/state.db"))
        database.run("DROP TRIGGER alias_history_no_update")
        database.run("UPDATE alias_history SET who = 'eve' WHERE sequence = 1")
        database.close()
      })
      const { code, err } = yield* dandori(folder, "model", "at", "now")
      assert.strictEqual(code, 10)
      assert.include(err, "ALTERED: row 1 of alias_history: its contents are not what its hash says")
    }).pipe(Effect.scoped),
  )

  it.live(
    "exits with 10 when a history was written anew with its hashes, over an intent that says something else",
    () =>
      Effect.gen(function* () {
        const { folder, intent, one } = yield* withModels
        const before = yield* dandori(folder, "model", "history")
        assert.strictEqual(before.code, 0, before.err)
        const contradictions: ReadonlyArray<readonly [Partial<AliasMove>, string]> = [
          [{ who: "eve" }, "it is by tester, the row says eve"],
          [{ task: "other" }, "it is of task publish, the row says other"],
          [{ version: "v2", digest: digestOf("v2") }, "it is for version v1"],
          [{ digest: digestOf("v2") }, "it is for v1 with other bytes"],
        ]
        for (const [change, says] of contradictions) {
          yield* inState(folder, (database) => rewriteMoves(database, { ...change, intent }))
          const history = yield* dandori(folder, "model", "history")
          assert.strictEqual(history.code, 10, says)
          assert.include(history.out, `${intent}  CONTRADICTED by line 2 of the run: ${says}`)
          assert.include(
            history.err,
            "ALTERED: row 1 of alias_history: the ledger's entry that it names did not write it",
          )
          const at = yield* dandori(folder, "model", "at", one.at)
          assert.strictEqual(at.code, 10, says)
        }
      }).pipe(Effect.scoped),
  )

  it.live("says in every answer that a status is not the one that the history gave", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      yield* inState(folder, (database) => {
        database.run("UPDATE model_registry SET status = 'rejected' WHERE version = 'v1'")
      })
      for (const args of [["at", "now"], ["history"], ["list"], ["show", "v2"]]) {
        const { code, err } = yield* dandori(folder, "model", ...args)
        assert.strictEqual(code, 10, args[0])
        assert.match(err, /ALTERED: row \d of model_registry_events: it made v1 archived, but .* says rejected/)
      }
    }).pipe(Effect.scoped),
  )

  it.live("refuses what is no time and what is no slot of the registry", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      for (const time of ["yesterday", "2025-02-30T00:00Z", "2025-01-01T25:00Z"]) {
        const { code, err } = yield* dandori(folder, "model", "at", time)
        assert.strictEqual(code, 64, time)
        assert.include(err, "is no time")
      }
      const slot = yield* dandori(folder, "model", "at", "now", "--slot", "EURUSD-GBPUSD/4h")
      assert.strictEqual(slot.code, 64)
      assert.include(slot.err, "EURUSD-GBPUSD/1h")
    }).pipe(Effect.scoped),
  )
})

describe("dandori model history and show", () => {
  it.live("show every move, and every change of a version with its evidence", () =>
    Effect.gen(function* () {
      const { folder, one, two } = yield* withModels
      const history = yield* dandori(folder, "model", "history", "-q")
      assert.strictEqual(history.out, `${one.at} EURUSD-GBPUSD/1h v1\n${two.at} EURUSD-GBPUSD/1h v2\n`)
      const show = yield* dandori(folder, "model", "show", "v1")
      assert.strictEqual(show.code, 0)
      assert.match(show.out, /^status +archived since .*: by hand$/m)
      assert.match(
        show.out,
        /new -> candidate by tester: gates passed\n {2}intent [0-9a-f]{64} {2}in the ledger: line 2/,
      )
      assert.match(show.out, /deployed -> archived by bob: by hand\n {2}intent [0-9a-f]{64} {2}UNATTESTED/)
      const unknown = yield* dandori(folder, "model", "show", "v9")
      assert.strictEqual(unknown.code, 66)
      assert.include(unknown.err, "no version v9")
    }).pipe(Effect.scoped),
  )
})

describe("dandori model verify", () => {
  it.live("is intact with exit 0 for the published bytes", () =>
    Effect.gen(function* () {
      const { folder, one } = yield* withModels
      const { code, out } = yield* dandori(folder, "model", "verify", "v1")
      assert.strictEqual(code, 0, out)
      assert.strictEqual(out, `intact  v1 (archived)  3 files, digest ${one.digest}, signed\n`)
    }).pipe(Effect.scoped),
  )

  it.live("names swapped, altered and extra files and exits with 10", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      yield* Effect.promise(() => Bun.$`chmod u+w ${join(folder, ".dandori/models/v1")}`.quiet())
      yield* rewrite(file(folder, "v1", "ai1.json"), "v1 two")
      yield* rewrite(file(folder, "v1", "ai2.json"), "v1 one")
      yield* rewrite(file(folder, "v1", "theta.yaml"), "y")
      yield* Effect.promise(() => Fs.writeFile(file(folder, "v1", "more.bin"), "more"))
      const { code, out } = yield* dandori(folder, "model", "verify", "v1")
      assert.strictEqual(code, 10, out)
      assert.include(out, "swapped: ai1.json has the bytes of ai2.json")
      assert.include(out, "altered: theta.yaml")
      assert.include(out, "extra: more.bin")
      assert.strictEqual((yield* dandori(folder, "model", "verify", "v2")).code, 0)
    }).pipe(Effect.scoped),
  )

  it.live("finds by the signature what was changed together with its checksum, and names the key in --json", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      const pem = yield* Effect.promise(() => Fs.readFile(join(folder, ".dandori/keys/model-signing.pub"), "utf8"))
      const intact = yield* dandori(folder, "model", "verify", "v1", "--json")
      assert.deepInclude(ndjson(intact.out)[0], { signer: Sha256.of(pem), differences: [] })
      const changed = filesOf("v1")
      const listed = Object.entries({ ...changed, "theta.yaml": "y" }).map(([path, text]) => ({
        path,
        sha256: Sha256.of(text),
        bytes: text.length,
      }))
      yield* rewrite(file(folder, "v1", "theta.yaml"), "y")
      yield* rewrite(file(folder, "v1", "checksums.json"), JSON.stringify(Checksums.make("v1", listed, {})))
      const { code, out } = yield* dandori(folder, "model", "verify", "v1")
      assert.strictEqual(code, 10, out)
      assert.include(out, "  altered: checksums.json\n  altered: theta.yaml\n")
    }).pipe(Effect.scoped),
  )

  it.live("exits with 13 when only files are missing, and when the whole folder is", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      yield* Effect.promise(() => Fs.rm(file(folder, "v1", "ai1.json")))
      const missing = yield* dandori(folder, "model", "verify", "v1")
      assert.strictEqual(missing.code, 13, missing.out)
      assert.include(missing.out, "missing: ai1.json")
      yield* Effect.promise(() => Fs.rm(file(folder, "v1", ""), { recursive: true }))
      const gone = yield* dandori(folder, "model", "verify", "v1", "--json")
      assert.strictEqual(gone.code, 13)
      assert.deepInclude(ndjson(gone.out)[0], {
        v: 1,
        kind: "model-verify",
        version: "v1",
        registry: "archived",
      })
    }).pipe(Effect.scoped),
  )

  it.live("finds a version that was replaced as a whole, checksums and all, by the registry's digest", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      const list = yield* Effect.promise(() => Fs.readFile(file(folder, "v2", "checksums.json"), "utf8"))
      for (const name of ["ai1.json", "ai2.json"]) {
        yield* rewrite(
          file(folder, "v1", name),
          yield* Effect.promise(() => Fs.readFile(file(folder, "v2", name), "utf8")),
        )
      }
      yield* rewrite(file(folder, "v1", "checksums.json"), list.replace('"v2"', '"v1"'))
      const { code, out } = yield* dandori(folder, "model", "verify", "v1")
      assert.strictEqual(code, 10, out)
      assert.match(out, /invalid: its checksums are of [0-9a-f]{64}, the registry says [0-9a-f]{64}/)
    }).pipe(Effect.scoped),
  )

  it.live("refuses a version that is no plain name, and one that nobody knows", () =>
    Effect.gen(function* () {
      const { folder } = yield* withModels
      assert.strictEqual((yield* dandori(folder, "model", "verify", "../v1")).code, 64)
      assert.strictEqual((yield* dandori(folder, "model", "verify", "v9")).code, 66)
    }).pipe(Effect.scoped),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Checkpoint from "../../src/ledger/checkpoint.ts"
import * as Ed25519 from "../../src/ledger/ed25519.ts"
import { LedgerKey } from "../../src/ledger/keys.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Merkle from "../../src/ledger/merkle.ts"
import * as SignedNote from "../../src/ledger/signed-note.ts"
import * as Project from "./fixtures/project.ts"

const inProject = <A, E, R>(use: (home: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Project.folder, (home) => use(home).pipe(Effect.provide(Project.projectAt(home))))
const read = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))

/** A verifier key from the documentation of golang.org/x/mod/sumdb/note, whose format C2SP signed-note describes. */
const [peter, hint, encoded] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".split("+", 3)

describe("checkpoints", () => {
  it.effect("gives signers the key id of the reference implementation", () =>
    Effect.gen(function* () {
      const prefix = Buffer.from("302a300506032b6570032100", "hex")
      const spki = Buffer.concat([prefix, Buffer.from(encoded, "base64").subarray(1)]).toString("base64")
      const key = yield* Ed25519.publicKey(`-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`)
      assert.strictEqual(SignedNote.keyHint(peter, key), hint)
      const text =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
      const signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
      const note = SignedNote.parse(`${text}\n— PeterNeumann ${signature}\n`)
      if (note === undefined) return assert.fail("it is a note")
      assert.strictEqual((yield* SignedNote.signer(note, peter, [key]))?.keyid, key.keyid)
      assert.isUndefined(yield* SignedNote.signer(note, "Somebody", [key]))
    }),
  )

  it.live("sign the root as it stands, cover the system stream, and go to the anchor too", () =>
    inProject((home) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const key = yield* LedgerKey
        yield* Project.writeRun(Project.runId(1), Project.attempts(2))
        const anchor = join(home, "anchor.txt")
        const made = yield* Checkpoint.make({ anchor })
        assert.strictEqual(made.size, 3)
        const text = yield* read(join(home, "ledger/checkpoints/3.txt"))
        assert.strictEqual(text, made.text)
        assert.strictEqual(yield* read(anchor), text)
        const root = yield* ledger.read("root")
        const lines = (yield* read(join(home, "ledger/root.ndjson"))).split("\n")
        const tree = Buffer.from(Merkle.treeHash(lines.slice(0, 3).map((line) => Merkle.leaf(line)))).toString("base64")
        const origin = `dandori/ledger/${root.entries[0].entryhash.slice(0, 16)}`
        assert.match(
          text,
          new RegExp(`^${origin}\n3\n${tree.replace(/[+/]/g, "\\$&")}\n\n— ${origin} [A-Za-z0-9+/=]+\n$`),
        )
        const found = Checkpoint.parse(text)
        assert.strictEqual(found && (yield* SignedNote.signer(found.note, origin, [key.publicKey]))?.keyid, key.keyid)
        const { entries: system, head } = yield* ledger.read("system")
        assert.deepStrictEqual(root.entries[2].data, { stream: "system", entries: 1, head: system[0].entryhash })
        const said = { entries: 3, tree, keyid: key.keyid }
        assert.deepStrictEqual(
          system.slice(1).map(({ data }) => data),
          [said],
        )
        assert.deepStrictEqual(
          root.entries.slice(3).map(({ data }) => data),
          [said, { stream: "system", entries: 2, head: head.hash }],
        )
      }),
    ),
  )

  it.live("are made again only when something has happened", () =>
    inProject(() =>
      Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), [])
        const first = yield* Checkpoint.make()
        assert.deepStrictEqual(yield* Checkpoint.make(), first)
        yield* Project.writeRun(Project.runId(2), [])
        assert.strictEqual((yield* Checkpoint.make()).size, first.size + 4)
      }),
    ),
  )

  it.live("are not signed over a root that was cut or rewritten since the last one", () =>
    inProject((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), [])
        yield* Checkpoint.make()
        const path = join(home, "ledger/root.ndjson")
        const lines = (yield* read(path)).split("\n")
        yield* Effect.promise(() => Fs.writeFile(path, `${lines.slice(0, 2).join("\n")}\n`))
        const refused = yield* Effect.flip(Checkpoint.make().pipe(Effect.provide(Project.ledgerAt(home))))
        assert.strictEqual(refused._tag, "StreamDamaged")
        assert.include(refused.message, "checkpoints/3.txt covers 3 entries, but only 2 are there")
      }),
    ),
  )
})

describe("what signs again and again", () => {
  it.live("signs what one that begins anew would, also after others have signed or a checkpoint is gone", () =>
    inProject((home) =>
      Effect.gen(function* () {
        const sign = yield* Checkpoint.signer
        for (let run = 1; run <= 40; run++) {
          yield* Project.writeRun(Project.runId(run), [])
          // Somebody else signs now and then, or adds what only the next one signs, or loses the newest.
          if (run % 5 === 0) yield* Checkpoint.make()
          if (run % 7 === 0) yield* Project.writeRun(Project.runId(100 + run), [])
          if (run % 9 === 0) {
            const { newestCheckpoint } = yield* Ledger
            yield* Effect.flatMap(newestCheckpoint, (newest) => Effect.promise(() => Fs.rm(newest?.place ?? "")))
          }
          const made = yield* sign()
          assert.deepStrictEqual(yield* Checkpoint.make(), made)
          const lines = (yield* read(join(home, "ledger/root.ndjson"))).split("\n").slice(0, made.size)
          const tree = Merkle.treeHash(lines.map((line) => Merkle.leaf(line)))
          assert.strictEqual(made.tree, Buffer.from(tree).toString("base64"))
          assert.deepStrictEqual(yield* sign(), made)
        }
      }),
    ),
  )

  it.live("refuses a root whose end is gone or was changed meanwhile", () =>
    inProject((home) =>
      Effect.gen(function* () {
        const path = join(home, "ledger/root.ndjson")
        for (const change of ["cut", "changed"]) {
          const sign = yield* Checkpoint.signer
          yield* Project.writeRun(Project.runId(change.length), [])
          const { size } = yield* sign()
          const text = yield* read(path)
          const lines = text.trimEnd().split("\n")
          const other = change === "cut" ? [] : [lines[size - 1].replace(/"time":"2/, '"time":"3')]
          yield* Effect.promise(() => Fs.writeFile(path, `${[...lines.slice(0, size - 1), ...other].join("\n")}\n`))
          const refused = yield* Effect.flip(sign())
          assert.strictEqual(refused._tag, "StreamDamaged")
          assert.include(refused.message, `line ${size} is not there any more`)
          yield* Effect.promise(() => Fs.writeFile(path, text))
        }
      }),
    ),
  )
})

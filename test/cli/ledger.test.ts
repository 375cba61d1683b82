import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { segmentPath } from "../../src/ledger/stream-name.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Root from "../../src/ledger/root.ts"
import { attempts, created, finished, projectAt, runId, writeGatedRun, writeRun } from "../ledger/fixtures/project.ts"
import { dandori, ndjson, project, start } from "./evidence-project.ts"

const first = runId(1)
const second = runId(2)
const fileOf = (folder: string, run: string) => join(folder, ".dandori/ledger", segmentPath(`runs/${run}`))
const edit = (file: string, change: (text: string) => string) =>
  Effect.promise(async () => {
    await Fs.chmod(file, 0o644)
    await Fs.writeFile(file, change(await Fs.readFile(file, "utf8")))
  })
/** A project whose ledger has a run of six events and a run with a gate and its receipt. */
const withRuns = Effect.gen(function* () {
  const folder = yield* project
  const home = join(folder, ".dandori")
  yield* Effect.gen(function* () {
    yield* writeRun(first, attempts(4))
    yield* writeGatedRun(home, second, "model")
  }).pipe(Effect.provide(projectAt(home)))
  return folder
})
const publicKey = (folder: string) => join(folder, ".dandori/keys/ledger.pub")

describe("dandori ledger verify", () => {
  it.live("is intact with exit 0, says that nothing is signed, and counts what there is", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const { code, out } = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^intact {2}\.dandori {2}\d+ entries in 4 streams/)
      assert.include(out, "no checkpoint: nothing is signed yet")
      assert.include(out, "not covered  root from line 1")
      assert.notInclude(out, "\u001b[")
      const quiet = yield* dandori(folder, "ledger", "verify", "--quiet")
      assert.deepStrictEqual(quiet, { code: 0, out: "", err: "" })
    }).pipe(Effect.scoped),
  )

  it.live("names stream and line of an edited entry and exits with 10, also by path from elsewhere", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      yield* edit(fileOf(folder, first), (text) => text.replace('"rows":2', '"rows":3'))
      const ledger = join(folder, ".dandori/ledger")
      const { code, out } = yield* dandori("/", "ledger", "verify", ledger)
      assert.strictEqual(code, 10, out)
      assert.match(out, new RegExp(`altered +runs/${first} +line 4 +byte \\d+ +was changed: its hash`))
      const json = yield* dandori("/", "ledger", "verify", ledger, "--json")
      const [report] = ndjson(json.out)
      assert.strictEqual(json.code, 10)
      assert.deepInclude(report, { v: 1, kind: "ledger-verify" })
      assert.deepInclude((report.faults as ReadonlyArray<object>)[0], {
        stream: `runs/${first}`,
        line: 4,
        kind: "altered",
      })
    }).pipe(Effect.scoped),
  )

  it.live("exits with 13 for a cut run and for a run that is gone, and names each", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      yield* edit(fileOf(folder, first), (text) => text.split("\n").slice(0, 3).join("\n") + "\n")
      yield* Effect.promise(() => Fs.rm(fileOf(folder, second)))
      const { code, out } = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(code, 13, out)
      assert.match(out, new RegExp(`gap +runs/${first} +line 4`))
      assert.match(out, new RegExp(`missing +runs/${second} +line 1`))
    }).pipe(Effect.scoped),
  )

  it.live("finds a rewritten history by a checkpoint that was kept elsewhere", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const kept = join(folder, "kept.txt")
      const made = yield* dandori(folder, "ledger", "checkpoint", "--anchor", "kept.txt")
      assert.strictEqual(made.code, 0, made.err)
      assert.strictEqual(made.out, yield* Effect.promise(() => Fs.readFile(kept, "utf8")))
      const before = yield* dandori(folder, "ledger", "verify", "--checkpoint", kept, "--key", publicKey(folder))
      assert.strictEqual(before.code, 0, before.out)
      assert.include(before.out, "pinned by --key")

      yield* edit(join(folder, ".dandori/ledger/root.ndjson"), (text) => text.split("\n").slice(0, 2).join("\n") + "\n")
      yield* Effect.promise(() => Fs.rm(join(folder, ".dandori/ledger/checkpoints"), { recursive: true }))
      const after = yield* dandori(folder, "ledger", "verify", "--checkpoint", kept, "--key", publicKey(folder))
      assert.strictEqual(after.code, 13, after.out)
      assert.match(after.out, /gap +root +line 3 .*2 entries are there; --checkpoint covers/)
    }).pipe(Effect.scoped),
  )

  it.live("exits with 12 when the checkpoint is signed by another key, and shows an unpinned key as such", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const other = yield* withRuns
      assert.strictEqual((yield* dandori(folder, "ledger", "checkpoint")).code, 0)
      const wrong = yield* dandori(folder, "ledger", "verify", "--key", publicKey(other))
      assert.strictEqual(wrong.code, 12, wrong.out)
      assert.match(wrong.out, /signature +checkpoints\/\d+\.txt +line 1/)
      const unpinned = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(unpinned.code, 0)
      assert.include(unpinned.out, "UNPINNED")

      const pem = yield* Effect.promise(() => Fs.readFile(publicKey(folder), "utf8"))
      const trust = `keys:\n  - pem: |\n${pem.replace(/^/gm, "      ").trimEnd()}\n`
      yield* Effect.promise(() => Fs.writeFile(join(folder, "configs/base/trust.yaml"), trust))
      const pinned = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(pinned.code, 0, pinned.err)
      assert.include(pinned.out, "pinned by configs/base/trust.yaml")
    }).pipe(Effect.scoped),
  )

  it.live("names root entries that were added later and files that are not part of the ledger, and is intact", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const ledger = join(folder, ".dandori/ledger")
      yield* Effect.gen(function* () {
        yield* writeRun(runId(3), [], { unlisted: true })
        yield* Root.reconcile()
      }).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
      yield* Effect.promise(() => Fs.writeFile(join(ledger, "runs/notes.ndjson"), "notes\n"))
      const { code, out } = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(code, 0, out)
      assert.match(out, new RegExp(`^recovered +runs/${runId(3)}: line 5 of root was added by a later start`, "m"))
      assert.match(out, /^stray +runs\/notes\.ndjson is not part of the ledger: it is no stream's file$/m)
    }).pipe(Effect.scoped),
  )

  it.live("says what is wrong in one line where there is no ledger, no key file or no key in it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const none = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(none.code, 66)
      assert.match(none.err, /^There is no ledger to read at .*\n$/)
      const absent = yield* dandori(folder, "ledger", "verify", "nowhere")
      assert.strictEqual(absent.code, 66)
      assert.match(absent.err, /nowhere: nothing is there\. Name a ledger folder/)
      const noKey = yield* dandori(folder, "ledger", "verify", folder, "--key", "nowhere.pub")
      assert.strictEqual(noKey.code, 66)
      assert.include(noKey.err, "--key nowhere.pub cannot be read")
      yield* Effect.promise(() => Fs.writeFile(join(folder, "text.pub"), "no key"))
      const badKey = yield* dandori(folder, "ledger", "verify", folder, "--key", "text.pub")
      assert.strictEqual(badKey.code, 65)
      assert.include(badKey.err, "BEGIN PUBLIC KEY")
      const outside = yield* dandori("/", "ledger", "verify")
      assert.strictEqual(outside.code, 66)
      assert.include(outside.err, "No project at /")
    }).pipe(Effect.scoped),
  )
})

describe("dandori ledger show", () => {
  it.live("prints the very bytes of the run as NDJSON, found by the beginning of its id", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const { code, out } = yield* dandori(folder, "ledger", "show", first.slice(0, 13), "--json")
      assert.strictEqual(code, 0)
      assert.strictEqual(out, yield* Effect.promise(() => Fs.readFile(fileOf(folder, first), "utf8")))
    }).pipe(Effect.scoped),
  )

  it.live("prints a line per event, control characters made visible", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const event = { type: "dev.dandori.task.skipped.v1", data: { task: "a", reason: "\u001b[2Jgone" } } as const
      yield* writeRun(first, [event]).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
      const { out } = yield* dandori(folder, "ledger", "show", first)
      const lines = out.trimEnd().split("\n")
      assert.strictEqual(lines.length, 3)
      assert.match(lines[0] ?? "", /^\S+Z {6}1 {2}run\.created +pipeline=demo$/)
      assert.match(lines[1] ?? "", /task\.skipped +task=a {2}reason=\\x1b\[2Jgone$/)
      assert.match(lines[2] ?? "", /run\.finished +status=succeeded {2}5 ms$/)
    }).pipe(Effect.scoped),
  )

  it.live("refuses a beginning that several runs share, and a run that is not there", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const many = yield* dandori(folder, "ledger", "show", "0190")
      assert.strictEqual(many.code, 64)
      assert.include(many.err, "0190 is the beginning of 2 runs")
      const none = yield* dandori(folder, "ledger", "show", "ffff")
      assert.strictEqual(none.code, 66)
    }).pipe(Effect.scoped),
  )

  it.live("shows what stands before an altered entry and exits with 10", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      yield* edit(fileOf(folder, first), (text) => text.replace('"rows":2', '"rows":3'))
      const { code, out, err } = yield* dandori(folder, "ledger", "show", first)
      assert.strictEqual(code, 10)
      assert.strictEqual(out.trimEnd().split("\n").length, 3)
      assert.include(err, "is damaged: line 4 was changed")
    }).pipe(Effect.scoped),
  )

  it.live("follows a run until it ends", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* Effect.gen(function* () {
        const ledger = yield* Ledger
        const writer = yield* ledger.create(`runs/${first}`)
        const head = writer.append(created())
        yield* writer.durable
        yield* Root.opened(`runs/${first}`, head.hash)
        const child = start(folder, ["ledger", "show", first, "--follow", "--json"])
        const reader = child.stdout.getReader()
        const next = Effect.promise(() => reader.read())
        const seen = new TextDecoder().decode((yield* next).value)
        assert.include(seen, "run.created")
        assert.notInclude(seen, "run.finished")
        writer.append(finished)
        yield* writer.durable
        assert.include(new TextDecoder().decode((yield* next).value), "run.finished")
        assert.strictEqual(yield* Effect.promise(() => child.exited), 0)
      }).pipe(Effect.scoped, Effect.provide(projectAt(join(folder, ".dandori"))))
    }).pipe(Effect.scoped),
  )

  it.live("ends following a run that nobody writes, and says how to go on with it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* writeRun(first, [], { open: true }).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
      const { code, err } = yield* dandori(folder, "ledger", "show", first, "--follow")
      assert.strictEqual(code, 0)
      assert.include(err, `dandori runs resume ${first}`)
    }).pipe(Effect.scoped),
  )
})

describe("dandori ledger head", () => {
  it.live("prints the root's entries, its head and the newest checkpoint, and makes nothing", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const empty = yield* dandori(folder, "ledger", "head", "--quiet")
      assert.match(empty.out, /^0 [0-9a-f]{64}\n$/)
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), ["configs"])
      yield* writeRun(first, []).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
      const { code, out } = yield* dandori(folder, "ledger", "head", "--json")
      const [head] = ndjson(out)
      assert.strictEqual(code, 0)
      const root = yield* Effect.promise(() => Fs.readFile(join(folder, ".dandori/ledger/root.ndjson"), "utf8"))
      const last = JSON.parse(root.trimEnd().split("\n").at(-1) ?? "")
      assert.deepInclude(head, {
        v: 1,
        kind: "ledger-head",
        entries: Number(last.sequence),
        hash: last.entryhash,
      })
    }).pipe(Effect.scoped),
  )
})

describe("dandori ledger export", () => {
  it.live("writes a folder that verifies anywhere, and refuses one that is there", () =>
    Effect.gen(function* () {
      const folder = yield* withRuns
      const { code, out, err } = yield* dandori(folder, "ledger", "export", second, "the export")
      assert.strictEqual(code, 0, err)
      const into = join(folder, "the export")
      assert.strictEqual(out, `${into}\n`)
      assert.include(err, "1 receipt")
      const verified = yield* dandori("/", "ledger", "verify", into, "--key", publicKey(folder))
      assert.strictEqual(verified.code, 0, verified.out)
      assert.include(verified.out, "1 covered by the checkpoint")
      const again = yield* dandori(folder, "ledger", "export", second, "the export")
      assert.strictEqual(again.code, 73)
      assert.include(again.err, "exists already")
    }).pipe(Effect.scoped),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Checkpoint from "../../src/ledger/checkpoint.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Merkle from "../../src/ledger/merkle.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Bookmarks, inFolder } from "../../src/services/bookmarks.ts"
import * as Project from "./fixtures/project.ts"

const [a, b, c] = [1, 2, 3].map(Project.runId) as [string, string, string]
/** A run of which no ledger here tells. */
const nowhere = Project.runId(9)
const ofRun = StreamName.ofRun

/** A process that works on a ledger, with bookmarks after every byte. */
const life = <A, E, R>(home: string, use: Effect.Effect<A, E, R>) =>
  use.pipe(
    Effect.provideService(Bookmarks, inFolder(join(home, "bookmarks"), 1)),
    Effect.provide(Project.projectAt(home)),
  )
const testimonies = Effect.flatMap(Ledger, (ledger) => ledger.testimonies)

const pathOf = (home: string, name: string) => join(home, `bookmarks/${name}.json`)
const rewrite = (path: string, change: (text: string) => string) =>
  Effect.promise(async () => Fs.writeFile(path, change(await Fs.readFile(path, "utf8"))))

/** Changes what a bookmark says, so that it tells whether it was taken up. */
const say = (home: string, name: string, change: (kept: any) => object) =>
  rewrite(pathOf(home, name), (file) => {
    const text = JSON.stringify(change(JSON.parse(file.slice(65))))
    return `${Sha256.of(text)}\n${text}`
  })
const alsoPurged = (kept: any) => ({
  ...kept,
  fold: { ...kept.fold, purged: [...kept.fold.purged, nowhere.replaceAll("-", "")] },
})
const marked = Effect.fnUntraced(function* (home: string) {
  yield* life(home, Effect.andThen(Project.writeRun(a, Project.attempts(2)), testimonies))
  yield* say(home, "root-testimonies", alsoPurged)
})

describe("the bookmark of a stream", () => {
  it.effect("spares the next process to read what it stands for, and nothing of what follows is missing", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* marked(home)
      yield* life(home, Project.writeRun(b, Project.attempts(2)))
      const said = yield* life(home, testimonies)
      assert.isTrue(said.isPurged(ofRun(nowhere)))
      const whole = yield* testimonies.pipe(Effect.provide(Project.projectAt(home)))
      assert.isFalse(whole.isPurged(ofRun(nowhere)))
      assert.deepStrictEqual([said.entries, said.end], [whole.entries, whole.end])
      assert.sameMembers([...said.streams()], [...whole.streams()])
      for (const stream of whole.streams()) assert.deepStrictEqual(said.of(stream), whole.of(stream))
    }),
  )

  it.effect("is as if it were none where the stream does not begin with what was read, which is found", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* marked(home)
      yield* rewrite(join(home, "ledger/root.ndjson"), (text) => text.replace("tester", "nobody"))
      assert.strictEqual((yield* Effect.flip(life(home, testimonies)))._tag, "StreamDamaged")
    }),
  )

  it.effect("is as if it were none where the stream is shorter than it was", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* marked(home)
      yield* rewrite(join(home, "ledger/root.ndjson"), (text) => text.slice(0, text.indexOf("\n") + 1))
      const said = yield* life(home, testimonies)
      assert.strictEqual(said.entries, 1)
      assert.isFalse(said.isPurged(ofRun(nowhere)))
    }),
  )

  for (const [what, change] of [
    ["is torn", (text: string) => text.slice(0, -2)],
    ["was changed", (text: string) => text.replace("root", "toor")],
    ["is empty", () => ""],
  ] as const) {
    it.effect(`is as if it were none where it ${what}`, () =>
      Effect.gen(function* () {
        const home = yield* Project.folder
        yield* marked(home)
        yield* rewrite(pathOf(home, "root-testimonies"), change)
        const said = yield* life(home, testimonies)
        assert.isFalse(said.isPurged(ofRun(nowhere)))
        assert.isDefined(said.of(ofRun(a)))
      }),
    )
  }

  it.effect("is as if it were none where other code left it", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* marked(home)
      yield* say(home, "root-testimonies", (kept) => ({ ...kept, code: Sha256.of("another version") }))
      assert.isFalse((yield* life(home, testimonies)).isPurged(ofRun(nowhere)))
    }),
  )

  it.effect("where it cannot be kept changes nothing", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* Effect.promise(() => Fs.writeFile(join(home, "bookmarks"), "a file, no folder"))
      yield* life(home, Effect.andThen(Project.writeRun(a, Project.attempts(2)), testimonies))
      assert.isDefined((yield* life(home, testimonies)).of(ofRun(a)))
    }),
  )

  it.live("lets who signs the root go on with its tree, also where its checkpoints are gone", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const sign = (run: string) =>
        life(home, Effect.andThen(Project.writeRun(run, Project.attempts(2)), Checkpoint.make()))
      const tree = (size: number) =>
        Effect.promise(async () => {
          const lines = (await Fs.readFile(join(home, "ledger/root.ndjson"), "utf8")).split("\n").slice(0, size)
          return Buffer.from(Merkle.treeHash(lines.map((line) => Merkle.leaf(line)))).toString("base64")
        })
      yield* sign(a)
      const second = yield* sign(b)
      const third = yield* sign(c)
      assert.isAbove(third.size, second.size)
      assert.strictEqual(third.tree, yield* tree(third.size))
      yield* Effect.promise(() => Fs.rm(join(home, "ledger/checkpoints"), { recursive: true }))
      const last = yield* sign(Project.runId(5))
      assert.strictEqual(last.tree, yield* tree(last.size))
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Progress } from "../../src/services/progress.ts"
import waitForFile, { Input } from "../../tasks/wait-for-file/index.ts"
import { plan, told } from "../compiler/compiled.ts"
import * as Workplace from "./workplace.ts"

const write = (root: string, path: string, text: string) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(root, path, ".."), { recursive: true })
    await Fs.writeFile(join(root, path), text)
  })
const aged = (root: string, path: string, seconds: number) =>
  Effect.promise(() => Fs.utimes(join(root, path), seconds, seconds))
const run = (root: string, input: Input) => waitForFile.run(input).pipe(Effect.provide(Workplace.attempt(root)))
const output = (path: string, text: string) => ({ path, bytes: text.length, sha256: Sha256.of(text) })

/** A task that waits, and what it says of how far it is. */
const waiting = Effect.fnUntraced(function* (root: string, input: Input) {
  const notes = yield* Queue.unbounded<string>()
  const progress = Layer.succeed(Progress, {
    report: ({ note }) => Effect.asVoid(Queue.offer(notes, note ?? "")),
  })
  const place = Layer.merge(Workplace.attempt(root), progress)
  const fiber = yield* Effect.forkScoped(waitForFile.run(input).pipe(Effect.provide(place)))
  /** Waits until it says so. */
  const says = (pattern: RegExp) =>
    Effect.repeat(Queue.take(notes), { until: (note) => pattern.test(note) }).pipe(Effect.asVoid)
  return { end: Fiber.join(fiber), says }
})

describe("wait-for-file", () => {
  it.live("gives the file that is there, the oldest of several, by what it holds", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* write(root, "in/b.csv", "older")
      yield* write(root, "in/a.csv", "newer")
      yield* write(root, "in/c.txt", "of another name")
      yield* aged(root, "in/b.csv", 1_000_000)
      yield* aged(root, "in/c.txt", 1_000)
      assert.deepStrictEqual(yield* run(root, { path: "in/*.csv", complete: "rename" }), output("in/b.csv", "older"))
    }),
  )

  it.live("waits for a folder, a file and its marker, and says how far it is", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const { end, says } = yield* waiting(root, { path: "in/*/x.csv", complete: { marker: ".done" } })
      yield* says(/no file in\/\*\/x\.csv yet/)
      yield* write(root, "in/deep/x.csv", "half")
      yield* says(/1 files .* not complete/)
      yield* write(root, "in/deep/x.csv", "half and half")
      yield* write(root, "in/deep/x.csv.done", "")
      assert.deepStrictEqual(yield* end, output("in/deep/x.csv", "half and half"))
    }),
  )

  it.live("waits until the file has not changed for so long", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* write(root, "in/a.csv", "half")
      const { end, says } = yield* waiting(root, { path: "in/a.csv", complete: "1500ms" })
      yield* says(/1 files/)
      yield* write(root, "in/a.csv", "half and half")
      yield* says(/1 files/)
      assert.deepStrictEqual(yield* end, output("in/a.csv", "half and half"))
    }),
  )

  it.live("takes no link and nothing outside of the project", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* write(root, "elsewhere.csv", "secret")
      yield* Effect.promise(() => Fs.mkdir(join(root, "in")))
      yield* Effect.promise(() => Fs.symlink(join(root, "elsewhere.csv"), join(root, "in/link.csv")))
      const { end, says } = yield* waiting(root, { path: "in/*.csv", complete: "rename" })
      yield* says(/no file/)
      yield* write(root, "in/real.csv", "real")
      assert.strictEqual((yield* end).path, "in/real.csv")
      const error = yield* Effect.flip(run(root, { path: "/etc/*", complete: "rename" }))
      assert.strictEqual(error._tag, "PathRefused")
    }),
  )

  it.effect("says in a dry run what is there", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* write(root, "in/a.csv", "a")
      yield* write(root, "in/a.csv.done", "")
      const said = yield* (
        waitForFile.dryRun?.({ path: "in/*", complete: { marker: ".done" } }) ?? Effect.succeed("")
      ).pipe(Effect.provide(Workplace.attempt(root)))
      assert.match(said, /waits for a file in\/\*; 1 of that name/)
    }),
  )

  for (const input of [
    { path: "", complete: "rename" },
    { path: "../in/*", complete: "rename" },
    { path: "in/", complete: "rename" },
    { path: "in/*", complete: "soon" },
    { path: "in/*", complete: "0s" },
    { path: "in/*", complete: { marker: "a/b" } },
    { path: "in/*" },
  ]) {
    it(`refuses ${JSON.stringify(input)}`, () => {
      assert.isFalse(Schema.is(Input)(input))
    })
  }

  it.effect("compiles with each way to be complete, and an expression in its path", () =>
    Effect.gen(function* () {
      const text = (complete: string) =>
        [
          "version: 1",
          "id: p",
          "params: { day: { type: string } }",
          "tasks:",
          `  wait: { uses: wait-for-file, timeout: 2h, with: { path: 'in/\${{ params.day }}/*.csv', complete: ${complete} } }`,
          "  work: { uses: command, with: { argv: [cat, '${{ tasks.wait.path }}', '${{ tasks.wait.sha256 }}'] } }",
          "",
        ].join("\n")
      for (const complete of ["10s", "rename", "{ marker: .done }"]) yield* plan(text(complete))
      assert.isNotEmpty(yield* told(text("soon")))
      assert.isNotEmpty(yield* told(text("5")))
    }),
  )
})

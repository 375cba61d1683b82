import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, says, ticking, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A project whose dead-man signal goes to a file in a folder of its own. */
const signalling = Effect.gen(function* () {
  const folder = yield* project
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(folder, "signs"))
    await Fs.appendFile(join(folder, "configs/envs/dev/daemon.yaml"), "dead_man: { every: 1s, file: signs/alive }\n")
  })
  return folder
})

const loseFolder = (folder: string) => Effect.promise(() => Fs.rm(join(folder, "signs"), { recursive: true }))

describe("what a daemon says", () => {
  for (const [what, flags] of [
    ["warnings", []],
    ["warnings with --json", ["--json"]],
  ] as const) {
    it.live(`of ${what} goes where all else goes that it says`, () =>
      Effect.gen(function* () {
        const folder = yield* signalling
        const one = yield* daemon(folder, ...flags)
        yield* says(one, /Leading/)
        yield* loseFolder(folder)
        yield* says(one, /The dead-man signal does not arrive by the file [^]*\n/)
        one.signal("SIGTERM")
        assert.strictEqual(yield* one.ended, 0, one.said())
        const lines = one.said().trimEnd().split("\n")
        if (flags.length === 0) {
          assert.strictEqual(one.out(), "")
          for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}\S/)
        } else {
          const notes = ndjson(one.out())
          assert.lengthOf(notes, lines.length)
          for (const note of notes) assert.deepInclude(note, { v: 1, kind: "note" })
        }
      }),
    )
  }

  it.live("of Ctrl-C is that it stops in order, and of a second one that it skips the grace", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const one = yield* daemon(folder)
      yield* says(one, /Leading/)
      one.signal("SIGINT")
      yield* says(one, /Stopping: running attempts have 30s to end[^\n]*\n/)
      assert.strictEqual(yield* one.ended, 130, one.said())
      assert.notInclude(one.said(), "Skipping")
      const argv = ["sh", "-c", "trap '' TERM INT; touch begun; while :; do sleep 0.1; done"]
      yield* write(folder, "pipelines/stubborn.yaml", ticking("stubborn", "* * * * * *", argv))
      const two = yield* daemon(folder)
      const begun = Effect.promise(() => Fs.readdir(folder)).pipe(
        Effect.map((names) => (names.includes("begun") ? true : undefined)),
      )
      yield* until(begun)
      two.signal("SIGINT")
      yield* says(two, /Stopping: /)
      // Two within a moment are one stop: some say it to a process and to its group.
      two.signal("SIGINT")
      yield* Effect.sleep(200)
      assert.notInclude(two.said(), "Skipping")
      two.signal("SIGINT")
      yield* says(two, /Skipping the grace: child processes are killed/)
      assert.strictEqual(yield* two.ended, 130, two.said())
    }),
  )

  it.live("of a dead-man file that cannot be written is what to put right, before it listens", () =>
    Effect.gen(function* () {
      const folder = yield* signalling
      yield* loseFolder(folder)
      const one = yield* daemon(folder)
      assert.strictEqual(yield* one.ended, 78, one.said())
      assert.match(one.said(), /there is no folder .*signs; make it/)
      assert.notInclude(one.said(), "listens")
    }),
  )

  it.live("of a socket that another one of the project has is that it takes it over when that one is gone", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const one = yield* daemon(folder)
      yield* says(one, /Leading/)
      const two = yield* daemon(folder)
      yield* says(two, /Standing by/)
      yield* says(
        two,
        /Another daemon of this project listens on .*; this one takes the socket over when that one is gone/,
      )
      assert.notInclude(two.said(), "end it")
      one.signal("SIGTERM")
      assert.strictEqual(yield* one.ended, 0)
      const asked = dandori(folder, "schedule", "list", "--server", "local")
      yield* until(Effect.map(asked, ({ code }) => (code === 0 ? true : undefined)))
    }),
  )

  it.live("of an address that it cannot listen on is why, and what to choose", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const one = yield* daemon(folder)
      const [, port = ""] = yield* says(one, /The API listens on http:\/\/127\.0\.0\.1:(\d+)/)
      for (const [args, words] of [
        [["--host", "nosuchhost.invalid"], "nosuchhost.invalid:0: there is no host of this name; choose an address"],
        [["--host", "192.0.2.1"], "192.0.2.1:0: this machine has no such address; choose one"],
        [["--port", port], `127.0.0.1:${port}: another process listens there already; end it, or choose another port`],
      ] as const) {
        const two = yield* daemon(folder, ...args)
        assert.strictEqual(yield* two.ended, 69)
        assert.include(two.said(), `The daemon cannot listen on ${words}`)
      }
    }),
  )

  it.live("is missed in words where none runs", () =>
    Effect.gen(function* () {
      const { code, err } = yield* dandori(yield* project, "runs", "list", "--server", "local")
      assert.strictEqual(code, 69)
      assert.include(
        err,
        "The daemon of this project cannot be reached: nobody listens there. Start it: dandori daemon",
      )
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, entries, says, ticking, ticks, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

const nightly = ticking("nightly", "* * * * * *", ["true"])
const broken = nightly.replace("uses: command", "uses: comand")

const isWithdrawn = (folder: string) =>
  Effect.map(entries(folder, "nightly"), (all) => all.some(({ type }) => String(type).includes("withdrawn")))
const more = (folder: string, count: number) =>
  Effect.flatMap(ticks(folder, "nightly"), ({ length }) =>
    until(Effect.map(ticks(folder, "nightly"), (all) => (all.length >= length + count ? all : undefined))),
  )
const stop = Effect.fnUntraced(function* (process: {
  readonly signal: (signal: NodeJS.Signals) => void
  readonly ended: Effect.Effect<number>
  readonly said: () => string
}) {
  process.signal("SIGTERM")
  assert.strictEqual(yield* process.ended, 0, process.said())
})

describe("a daemon whose pipeline lies in a file of another name", () => {
  it.live("keeps its schedule while the file is broken, also over a restart, and takes the mended one", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/etl.yaml", nightly)
      const first = yield* daemon(folder)
      yield* more(folder, 1)
      yield* write(folder, "pipelines/etl.yaml", broken)
      yield* says(first, /pipelines\/etl\.yaml.*comand/s)
      yield* more(folder, 4)
      yield* stop(first)
      const second = yield* daemon(folder)
      yield* says(second, /pipelines\/etl\.yaml.*comand/s)
      yield* more(folder, 4)
      assert.isFalse(yield* isWithdrawn(folder))
      const listed = yield* dandori(folder, "schedule", "list", "--server", "local")
      assert.include(listed.out, "nightly")
      yield* write(folder, "pipelines/etl.yaml", nightly.replace('"true"', '"true","mended"'))
      yield* says(second, /etl\.yaml is in order again/)
      yield* more(folder, 2)
      assert.isFalse(yield* isWithdrawn(folder))
      // What cannot even be read as YAML may be any of those that are missed.
      yield* write(folder, "pipelines/etl.yaml", "{{{")
      yield* says(second, /etl\.yaml/)
      yield* stop(second)
      const third = yield* daemon(folder)
      yield* more(folder, 4)
      assert.isFalse(yield* isWithdrawn(folder))
      yield* stop(third)
    }),
  )

  it.live("keeps its schedule where it begins with a configuration that is broken", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/etl.yaml", nightly)
      const first = yield* daemon(folder)
      yield* more(folder, 1)
      yield* stop(first)
      yield* write(folder, "configs/base/retention.yaml", "nonsense: true\n")
      const next = yield* daemon(folder)
      yield* says(next, /Nothing is deployed/).pipe(Effect.raceFirst(next.ended))
      yield* more(folder, 3).pipe(Effect.raceFirst(next.ended))
      assert.isFalse(yield* isWithdrawn(folder))
    }),
  )

  it.live("says that it withdraws the schedule when the file is gone", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/etl.yaml", nightly)
      const process = yield* daemon(folder)
      yield* more(folder, 1)
      yield* Effect.promise(() => Fs.rm(join(folder, "pipelines/etl.yaml")))
      yield* says(process, /nightly: its schedule is withdrawn: its file is gone/)
      assert.isTrue(yield* isWithdrawn(folder))
      yield* write(folder, "pipelines/etl.yaml", nightly)
      yield* more(folder, 1)
      yield* write(folder, "pipelines/etl.yaml", nightly.replace("id: nightly", "id: renamed"))
      yield* says(process, /nightly: its schedule is withdrawn: its file is gone[^]*nightly: its schedule is withdrawn/)
      yield* stop(process)
    }),
  )

  it.live("does not begin a schedule again that was withdrawn, because some other file is broken", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/etl.yaml", nightly)
      yield* write(folder, "pipelines/other.yaml", ticking("other", "* * * * * *", ["true"]))
      const process = yield* daemon(folder)
      yield* more(folder, 1)
      yield* Effect.promise(() => Fs.rm(join(folder, "pipelines/etl.yaml")))
      yield* says(process, /nightly: its schedule is withdrawn/)
      const { length } = yield* ticks(folder, "nightly")
      yield* write(folder, "pipelines/unknown.ts", "export default {{{")
      yield* says(process, /unknown\.ts/)
      const others = (yield* ticks(folder, "other")).length
      yield* until(Effect.map(ticks(folder, "other"), (all) => (all.length > others + 3 ? all : undefined)))
      assert.lengthOf(yield* ticks(folder, "nightly"), length)
      yield* stop(process)
      const next = yield* daemon(folder)
      yield* says(next, /unknown\.ts/)
      const before = (yield* ticks(folder, "other")).length
      yield* until(Effect.map(ticks(folder, "other"), (all) => (all.length > before + 3 ? all : undefined)))
      assert.lengthOf(yield* ticks(folder, "nightly"), length)
      yield* stop(next)
    }),
  )
})

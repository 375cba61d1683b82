import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { EvacuationSection } from "../../../../src/domain/config/evacuation.ts"
import stop from "../../../../tasks/evacuate/stop/index.ts"
import * as Engine from "../captures/container-engine.fixture.ts"
import { loop, newProject, start } from "./machine.fixture.ts"
import * as StopPlace from "./stop-place.ts"

const input = { incident: "IR-1" }
const section = (label: string): Partial<EvacuationSection> => ({
  grace: "1s",
  stop: [{ name: "api", container_label: label }],
})
const run = (root: string, sockets: ReadonlyArray<string>, label = "app=api") =>
  stop.run(input).pipe(Effect.provide(StopPlace.services(root, { section: section(label), sockets })))

const sleeper = `echo up; ${loop}`

const container = (how: Engine.Container["how"], labels: Engine.Container["labels"], script = sleeper) =>
  Effect.map(start(["sh", "-c", script], { cwd: "/" }), (process): Engine.Container => ({
    id: Engine.newId(),
    labels,
    process,
    ...(how === undefined ? {} : { how }),
  }))

describe("containers", () => {
  it.live("are stopped by their label, and others are not", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      const one = yield* container("stops", { app: "api" })
      const deaf = yield* container("stops", { app: "api", tier: "1" }, `trap '' TERM; ${sleeper}`)
      const other = yield* container("stops", { app: "api2" })
      const { asked, socket } = yield* Engine.make([one, deaf, other])
      const text = yield* (stop.dryRun?.(input) ?? Effect.die("there is no dry run")).pipe(
        Effect.provide(StopPlace.services(root, { section: section("app=api"), sockets: [socket] })),
      )
      assert.include(text, `container ${one.id.slice(0, 4)}, by ${socket}`)
      assert.deepStrictEqual(
        asked.filter((each) => each.startsWith("POST")),
        [],
      )
      const output = yield* run(root, [socket, join(root, "no-such.sock")])
      assert.deepInclude(output, { remaining: [], complete: true })
      assert.deepInclude(output.stopped[0], { target: "api", processes: 2 })
      assert.deepStrictEqual(
        [one, deaf, other].map(({ process }) => process.isAlive()),
        [false, false, true],
      )
    }),
  )

  it.live("are found by a label's key alone", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      const one = yield* container("stops", { app: "x" })
      const { socket } = yield* Engine.make([one])
      assert.deepInclude(yield* run(root, [socket], "app"), { complete: true })
      assert.isFalse(one.process.isAlive())
    }),
  )

  it.live("that their engine does not stop remain, whatever it says of them", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root, { began: 0, deadline: Date.now() + 40_000 })
      const refused = yield* container("refuses", { app: "api" })
      const lied = yield* container("lies", { app: "api" })
      const { socket } = yield* Engine.make([refused, lied])
      const { complete, remaining, stopped } = yield* run(root, [socket])
      assert.isFalse(complete)
      assert.deepStrictEqual(stopped, [])
      const reasonOf = ({ id }: Engine.Container) =>
        remaining.find(({ container }) => container === id.slice(0, 4))?.reason ?? "it is not named"
      assert.match(reasonOf(refused), /HTTP 500 .*cannot stop it.*; stop them by hand$/)
      assert.match(reasonOf(lied), /it still runs after its stop/)
    }),
  )

  it.live("of an engine that does not answer may run: that is said", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      const socket = join(mkdtempSync(join(tmpdir(), "engine-")), "engine.sock")
      const server = Bun.serve({ unix: socket, fetch: () => new Response("down", { status: 503 }) })
      const { complete, remaining } = yield* run(root, [socket])
      yield* Effect.promise(() => server.stop(true))
      assert.isFalse(complete)
      assert.deepStrictEqual(remaining, [
        {
          target: "api",
          reason: `${socket} does not say which containers run or does not stop them: HTTP 503 down; stop them by hand`,
        },
      ])
    }),
  )

  it.live("are none where there is no engine", () =>
    Effect.gen(function* () {
      const root = newProject()
      yield* StopPlace.open(root)
      assert.deepInclude(yield* run(root, [join(root, "no-such.sock")]), { remaining: [], complete: true })
    }),
  )
})

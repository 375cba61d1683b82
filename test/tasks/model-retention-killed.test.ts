import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as Stage from "./publish/stage.ts"
import * as Place from "./retention-place.ts"

const script = fileURLToPath(new URL("retention-killed.ts", import.meta.url))
const start = Date.UTC(2025, 0, 15)

/** Purges in a process of its own that dies before its n-th operation (0 lives), or is killed after so many milliseconds. */
const purgeAndDie = (root: string, now: number, at: number, afterMillis?: number) =>
  Effect.promise(async () => {
    const child = Bun.spawn([process.execPath, script, root, String(at), String(now)], { stderr: "pipe" })
    const killing = afterMillis === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), afterMillis)
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    await child.exited
    clearTimeout(killing)
    return { signal: child.signalCode, output, errors }
  })

/** A project where v1 is ready, v3 is a rollback's target and v4 champion. */
const prepared = Effect.gen(function* () {
  const root = yield* Stage.project
  const clock = Place.makeClock(start)
  yield* Effect.gen(function* () {
    for (const version of ["v1", "v3", "v4", "v5"]) {
      yield* Place.publish(version)
      if (version === "v3" || version === "v4") yield* Place.deploy(version, `deploy ${version}`)
    }
    clock.state.now += 90 * Place.dayMillis
    yield* Place.mark("mark")
    clock.state.now += 4 * Place.dayMillis
  }).pipe(Effect.provide(Place.timed(root, clock)))
  return { root, now: clock.state.now }
})

/** Every version is whole, or gone and archived; what is kept is whole whatever happened. */
const checkWhole = Effect.fnUntraced(function* (root: string) {
  const registry = yield* ModelRegistry
  const states: Record<string, string> = {}
  for (const row of yield* registry.list()) states[row.version] = yield* Place.stateOf(root, row)
  assert.deepInclude(states, { v3: "whole", v4: "whole", v5: "whole" })
  assert.deepStrictEqual(yield* registry.verify, [])
  return states
})

/** A second run finishes what the first one began, and leaves nothing behind. */
const finish = (root: string, now: number) =>
  Effect.gen(function* () {
    const reached = yield* checkWhole(root)
    yield* Place.purgeReady("again")
    assert.deepStrictEqual(yield* checkWhole(root), { v1: "purged", v3: "whole", v4: "whole", v5: "whole" })
    const left = Fs.readdirSync(join(root, ".dandori/models")).filter((name) => name !== ".publish.lock")
    assert.deepStrictEqual(left.toSorted(), ["v3", "v4", "v5"])
    const { events, files } = yield* (yield* ModelRegistry).show("v1")
    assert.deepStrictEqual(
      files.map(({ state }) => state),
      ["due", "purging", "purged"],
    )
    assert.deepStrictEqual(
      events.map(({ to }) => to),
      ["candidate", "rejected", "archived"],
    )
    return reached
  }).pipe(Effect.provide(Place.timed(root, Place.makeClock(now))))

describe("a purge that is killed", () => {
  it.live(
    "at every operation leaves each version whole or gone, and the next purge finishes it",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const whole = yield* prepared
          const alive = yield* purgeAndDie(whole.root, whole.now, 0)
          assert.strictEqual(alive.errors, "")
          const operations = Number(alive.output)
          assert.isAbove(operations, 20)
          const reached = new Set<string | undefined>()
          yield* Effect.forEach(
            Array.from({ length: operations }, (_, index) => index + 1),
            (at) =>
              Effect.scoped(
                Effect.gen(function* () {
                  const { now, root } = yield* prepared
                  const died = yield* purgeAndDie(root, now, at)
                  assert.strictEqual(died.signal, "SIGKILL", `operation ${at}: ${died.errors}`)
                  reached.add((yield* finish(root, now)).v1)
                }),
              ),
            { concurrency: 2 },
          )
          assert.deepStrictEqual(reached, new Set(["whole", "interrupted", "purged"]))
        }),
      ),
    400_000,
  )

  it.live(
    "from outside at random moments leaves each version whole or gone, and the next purge finishes it",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const timed = yield* prepared
          const began = performance.now()
          yield* purgeAndDie(timed.root, timed.now, 0)
          const longest = performance.now() - began
          const killed = yield* Effect.forEach(
            Array.from({ length: 8 }, (_, round) => round),
            () =>
              Effect.scoped(
                Effect.gen(function* () {
                  const { now, root } = yield* prepared
                  const { signal } = yield* purgeAndDie(root, now, 0, longest * (0.3 + Math.random() * 0.7))
                  yield* finish(root, now)
                  return signal === "SIGKILL"
                }),
              ),
          )
          assert.isAbove(killed.filter((one) => one).length, 2)
        }),
      ),
    400_000,
  )
})

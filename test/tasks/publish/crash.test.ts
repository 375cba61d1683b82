import { fileURLToPath } from "node:url"
import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { GatedModel } from "../../../src/domain/model.ts"
import { ModelFiles } from "../../../src/services/model-files.ts"
import { ModelRegistry } from "../../../src/services/model-registry.ts"
import publish from "../../../tasks/publish/index.ts"
import * as Stage from "./stage.ts"

const script = fileURLToPath(new URL("killed.ts", import.meta.url))

/** Publishes `new` in a process of its own that dies before its n-th operation; 0 lives. */
const publishAndDie = (root: string, at: number) =>
  Effect.promise(async () => {
    const child = Bun.spawn([process.execPath, script, root, "new", String(at)], { stderr: "pipe" })
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    await child.exited
    return { signal: child.signalCode, output, errors }
  })

/** A project where `old` is champion and `new` waits with its receipts. */
const prepared = Effect.gen(function* () {
  const root = yield* Stage.project
  const old = yield* Stage.passed(root, "old").pipe(Effect.provide(Stage.services(root)))
  yield* publish
    .run({ model: old })
    .pipe(Effect.provide(Layer.provideMerge(Stage.attempt("before"), Stage.services(root))))
  const model = yield* Stage.passed(root, "new").pipe(Effect.provide(Stage.services(root)))
  return { root, model }
})

const champion = (model: GatedModel) =>
  Effect.gen(function* () {
    return Option.map(yield* (yield* ModelRegistry).champion(model.slot), ({ version }) => version)
  })

/** Whatever was reached: `old` or `new` in full, never a torn folder, never an alias without its bytes. */
const checkWhole = (model: GatedModel) =>
  Effect.gen(function* () {
    const files = yield* ModelFiles
    const registry = yield* ModelRegistry
    for (const version of yield* files.list) {
      assert.deepStrictEqual((yield* files.verify(version)).differences, [])
    }
    const now = Option.getOrThrow(yield* champion(model))
    assert.include(["old", "new"], now)
    assert.include(yield* files.list, now)
    const row = Option.map(yield* registry.find("new"), ({ status }) => status)
    assert.deepStrictEqual(row, now === "new" ? Option.some("deployed" as const) : Option.none())
    assert.strictEqual((yield* registry.pendingOutbox(99)).length, now === "new" ? 4 : 2)
    assert.deepStrictEqual(yield* registry.verify, [])
    return now
  })

/** What the engine does on resume: asks the probe, and runs again when nothing happened. */
const resume = (root: string, model: GatedModel) =>
  Effect.gen(function* () {
    const found = yield* publish.probe?.({ model }) ?? Effect.die("publish has no probe")
    const output = Option.isSome(found) ? found.value : yield* publish.run({ model })
    assert.deepInclude(output, { version: "new", deployed: true, previous: "old" })
    const registry = yield* ModelRegistry
    assert.deepStrictEqual(
      (yield* registry.history(model.slot)).map(({ version }) => version),
      ["old", "new"],
    )
    assert.strictEqual((yield* registry.pendingOutbox(99)).length, 4)
    assert.deepStrictEqual(
      Fs.readdirSync(join(root, ".dandori/models")).filter((name) => name.startsWith(".staging")),
      [],
    )
    return Option.isSome(found)
  }).pipe(Effect.provide(Stage.attempt("crashed")))

describe("publish, killed at every step", () => {
  it.live(
    "leaves the old state or the new one, and comes to the new one when it is resumed",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const whole = yield* prepared
          const alive = yield* publishAndDie(whole.root, 0)
          assert.strictEqual(alive.errors, "")
          const operations = Number(alive.output)
          assert.isAbove(operations, 40)
          const results = yield* Effect.forEach(
            Array.from({ length: operations }, (_, index) => index + 1),
            (at) =>
              Effect.scoped(
                Effect.gen(function* () {
                  const { model, root } = yield* prepared
                  const died = yield* publishAndDie(root, at)
                  assert.strictEqual(died.signal, "SIGKILL", `operation ${at}: ${died.errors}`)
                  return yield* Effect.gen(function* () {
                    const reached = yield* checkWhole(model)
                    const probed = yield* resume(root, model)
                    assert.strictEqual(probed, reached === "new", `operation ${at}`)
                    assert.strictEqual(yield* checkWhole(model), "new")
                    return reached
                  }).pipe(Effect.provide(Stage.services(root)))
                }),
              ),
            { concurrency: 2 },
          )
          assert.deepStrictEqual(new Set(results), new Set(["old", "new"]))
        }),
      ),
    240_000,
  )
})

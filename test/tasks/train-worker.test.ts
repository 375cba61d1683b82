import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SamplePair from "../../samples/sample-pair.ts"
import type { Model } from "../../src/domain/model.ts"
import * as ModelDiff from "../../src/market/model-diff.ts"
import { synthetic } from "../../src/market/synthetic.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as ProcessesLocal from "../../src/services/processes-local.ts"
import { Processes } from "../../src/services/processes.ts"
import train from "../../tasks/train/index.ts"
import type { TrainInput } from "../../tasks/train/schema.ts"
import { carrying, programs, records } from "../services/processes-machine.fixture.ts"
import * as TrainPlace from "./train-place.ts"
import * as Workplace from "./workplace.ts"

const sample = synthetic(SamplePair.spec)

/** Too little for a model. */
const short = synthetic({ ...SamplePair.spec, to: Date.UTC(2024, 3, 1) })

const textsOf = Effect.fnUntraced(function* (model: Model) {
  const artifacts = yield* Artifacts
  const texts: Record<string, string> = {}
  for (const { name, sha256 } of model.files) texts[name] = new TextDecoder().decode(yield* artifacts.get(sha256))
  return texts
})

/** A project, and attempts to train there by the processes that are given. */
const project = Effect.gen(function* () {
  const root = yield* Workplace.project
  const folder = join(root, ".dandori/processes")
  /** The trainer's process, as its record says while a note is handed on. */
  const trainer = () =>
    records(folder)
      .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
      .filter(({ program }) => program === process.execPath)
      .map(({ pid }) => pid)
  const attempt = Effect.fnUntraced(function* (
    run: string,
    { bars = sample, ...more }: Partial<TrainInput> & { readonly bars?: typeof sample } = {},
    onNote: (note: string) => Effect.Effect<void> = () => Effect.void,
  ) {
    const seen = new Set<number>()
    const noted = (note: string) =>
      Effect.andThen(
        Effect.sync(() => trainer().forEach((pid) => seen.add(pid))),
        onNote(note),
      )
    const processes = yield* Processes
    return yield* Effect.gen(function* () {
      const dataset = yield* TrainPlace.dataset(root, bars)
      const { model } = yield* Effect.provideService(train.run({ dataset, ...more }), Processes, processes)
      return { texts: yield* textsOf(model), pids: [...seen] }
    }).pipe(Effect.provide(TrainPlace.services(root, { run, task: run }, noted)))
  })
  return { root, folder, attempt, local: ProcessesLocal.layer({ folder }) }
})

describe("training after training", () => {
  it.live("is done by one process, which makes of the same input the same bytes as a fresh one", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { attempt, folder, local, root } = yield* project
        const fresh = yield* Effect.provide(attempt("fresh"), local)
        const [other, again] = yield* Effect.gen(function* () {
          const other = yield* attempt("other", { seed: 7, trainer: { kind: "builtin", model: "boosting" } })
          const again = yield* attempt("again")
          assert.deepStrictEqual(programs(root), again.pids)
          return [other, again]
        }).pipe(Effect.provide(local))
        assert.strictEqual(again.pids.length, 1)
        assert.deepStrictEqual(again.pids, other.pids)
        assert.notDeepEqual(again.pids, fresh.pids)
        assert.deepStrictEqual(ModelDiff.compare(fresh.texts, again.texts), { verdict: "bit-identical" })
        assert.notDeepEqual(ModelDiff.compare(fresh.texts, other.texts), { verdict: "bit-identical" })
        assert.deepStrictEqual(carrying(root), [])
        assert.deepStrictEqual(records(folder), [])
      }),
    ),
  )

  it.live("is done by another process when the attempt before was interrupted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { attempt, local, root } = yield* project
        yield* Effect.gen(function* () {
          const fitting = yield* Deferred.make<void>()
          yield* Effect.flip(attempt("first", { bars: short }))
          const kept = programs(root)
          assert.strictEqual(kept.length, 1)
          const fiber = yield* Effect.forkChild(
            attempt("second", {}, (note) =>
              note === "purged K-fold" ? Effect.asVoid(Deferred.succeed(fitting, undefined)) : Effect.void,
            ),
          )
          yield* Deferred.await(fitting)
          assert.deepStrictEqual(programs(root), kept)
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(carrying(root), [])
          yield* Effect.flip(attempt("third", { bars: short }))
          assert.strictEqual(programs(root).length, 1)
          assert.notDeepEqual(programs(root), kept)
        }).pipe(Effect.provide(local))
      }),
    ),
  )

  it.live("never keeps a program of the user's, but does both steps around it in one process", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { attempt, local, root } = yield* project
        const script = fileURLToPath(new URL("fixtures/plain_trainer.py", import.meta.url))
        yield* Effect.gen(function* () {
          const { pids } = yield* attempt("first", { trainer: { kind: "command", argv: ["python3", script] } })
          assert.strictEqual(pids.length, 1)
          assert.deepStrictEqual(programs(root), pids)
        }).pipe(Effect.provide(local))
      }),
    ),
  )
})

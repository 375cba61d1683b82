/** Publishing a model of 2 GiB, beside sha256sum and cp of the same bytes. */
import { mkdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Artifacts } from "../src/services/artifacts.ts"
import * as Stage from "../test/tasks/publish/stage.ts"
import { run } from "../tasks/publish/run.ts"
import * as Bytes from "./bytes.ts"
import type { Bench, Figure, Times } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

const add = (all: Array<Times>): Times => ({
  millis: all.flatMap(({ millis }) => millis),
  cpu: all.flatMap(({ cpu }) => cpu),
})

/** Everything that publish does, with the registry in SQLite; each round another version that holds the same large file. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const bytes = Math.round((scale === "full" ? 2 ** 31 : 2 ** 23) * Bytes.share)
    const rounds = scale === "full" ? 2 : 1
    const source = join(folder, "model.bin")
    const copy = join(folder, "copy.bin")
    Bytes.write(source, bytes)
    const root = join(folder, "project")
    mkdirSync(root)
    Stage.equip(root)
    const taken: Record<"sum" | "copied" | "published", Array<Times>> = { sum: [], copied: [], published: [] }
    const read: Array<number> = []
    const written: Array<number> = []
    await Effect.runPromise(
      Effect.gen(function* () {
        const large = yield* (yield* Artifacts).putFile("model.bin", "application/octet-stream", source)
        for (let round = 0; round < rounds; round++) {
          const model = yield* Stage.passed(root, `v${round}`, `seed ${round}`, [large])
          taken.sum.push(Figures.spawns(1, ["sha256sum", source], folder))
          const copying = `cp "$0" "$1" && sync "$1"`
          taken.copied.push(Figures.spawns(1, ["sh", "-c", copying, source, copy], folder))
          rmSync(copy)
          const before = Bytes.moved()
          const context = yield* Effect.context<Effect.Services<ReturnType<typeof run>>>()
          taken.published.push(
            yield* Effect.promise(() =>
              Figures.times(1, () => Effect.runPromiseWith(context)(run({ model, reason: "bench" }))),
            ),
          )
          const after = Bytes.moved()
          if (before !== undefined && after !== undefined) {
            read.push((after.read - before.read) / bytes)
            written.push((after.written - before.written) / bytes)
          }
          const placed = join(root, ".dandori/models", model.version)
          if (statSync(join(placed, "model.bin")).size !== bytes) throw new Error("the model was not published")
          rmSync(placed, { recursive: true, force: true })
        }
      }).pipe(Effect.provide(Layer.mergeAll(Stage.attempt("bench"), Stage.services(root))), Effect.scoped),
    )
    const mebibytes = bytes / 2 ** 20
    const rate = (name: string, times: Times, more = {}) => Figures.fromRates(name, "MiB/s", mebibytes, times, more)
    const [sum, copied, published] = [add(taken.sum), add(taken.copied), add(taken.published)]
    const best = (times: Times) => Math.min(...times.millis)
    const ratio = best(published) / (best(sum) + best(copied))
    const figures: Array<Figure> = [
      rate("sha256sum", sum),
      rate("cp, then sync", copied),
      rate("publish", published, { against: { what: "time of sha256sum and cp, the best of each", ratio } }),
    ]
    if (read.length > 0) {
      figures.push(
        Figures.fromValues("publish: bytes read", "× the model", read),
        Figures.fromValues("publish: bytes written", "× the model", written),
      )
    }
    return {
      figures,
      notes: [
        `a model of ${mebibytes.toLocaleString("en-US")} MiB in one file beside five small ones; the source lies in the page cache`,
        "publish copies and digests what is stored, reads it back before it signs, reads all back once more, and flushes",
      ],
    }
  })

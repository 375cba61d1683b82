/** Three tasks that do nothing, run as `dandori run` does, each run durable: its figure, its flushes, the rest. */
import * as Effect from "effect/Effect"
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import * as Checkpoint from "../src/ledger/checkpoint.ts"
import * as Root from "../src/ledger/root.ts"
import * as Disk from "./disk.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Flushes from "./flushes.ts"
import * as Place from "./place.ts"
import * as Project from "./project.ts"

interface Sample {
  readonly total: number
  readonly flushes: number
  readonly flushing: number
}

const measure = async (project: Project.BenchProject, effects: Project.NoopClass, count: number) => {
  const request = project.request(Project.plan(3, "chain", effects), "fsync")
  const samples: Array<Sample> = []
  const warm = Math.min(30, count)
  for (let i = -warm; i < count; i++) {
    const before = Flushes.count()
    const start = performance.now()
    const { state } = await project.run(Run.start(request))
    const total = performance.now() - start
    if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
    const { flushes, millis } = Flushes.between(before, Flushes.count())
    if (i >= 0) samples.push({ total, flushes, flushing: millis })
  }
  return samples
}

const figures = (name: string, samples: ReadonlyArray<Sample>, flush: Disk.Flush): ReadonlyArray<Figure> => {
  const totals = samples.map(({ total }) => total)
  const flushes = Figures.percentile(
    samples.map((sample) => sample.flushes),
    0.5,
  )
  const against = { what: `${flushes} × fdatasync`, ratio: Figures.percentile(totals, 0.5) / (flushes * flush.p50) }
  const fast = flush.p50 <= 0.1
  return [
    Figures.fromValues(`${name}: run`, "ms", totals, { against, ...(fast ? { target: { atMost: 4 } } : {}) }),
    Figures.fromValues(
      `${name}: flushes`,
      "flushes",
      samples.map((sample) => sample.flushes),
    ),
    Figures.fromValues(
      `${name}: time in flushes`,
      "ms",
      samples.map(({ flushing }) => flushing),
    ),
    Figures.fromValues(
      `${name}: beyond its flushes`,
      "ms",
      samples.map(({ flushing, total }) => total - flushing),
      fast ? {} : { target: { atMost: 2 } },
    ),
  ]
}

/** Runs of three tasks, one after the other in one process; then the books that a process keeps beside its run. */
export const bench: Bench = (scale) =>
  Project.withProject(async (project) => {
    const count = scale === "full" ? 300 : 2
    const flush = Disk.flush(Place.folder(), scale === "full" ? 200 : 5)
    const pure = await measure(project, "pure", count)
    const idempotent = await measure(project, "idempotent", count)
    const books = await Figures.times(scale === "full" ? 20 : 1, () =>
      project.run(
        Root.reconcile().pipe(
          Effect.andThen(Run.start(project.request(Project.plan(3, "chain", "pure"), "fsync"))),
          Effect.andThen(Checkpoint.make()),
        ),
      ),
    )
    return {
      figures: [
        ...figures("3 pure tasks", pure, flush),
        ...figures("3 idempotent tasks", idempotent, flush),
        Figures.fromTimes(`run with reconcile and signed checkpoint, ${2 * count} runs before it`, books),
      ],
      notes: [
        `${count} runs each; a flush is an fdatasync or fsync of a file or folder, timed from call to callback, overlapping ones once`,
        `fdatasync right before: p50 ${flush.p50.toFixed(2)} ms, best ${flush.best.toFixed(2)} ms. Best published durable 3-step run: Restate 4.1 ms`,
      ],
    }
  })

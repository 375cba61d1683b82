/** What one more task costs from task 1 to task 100,000 of a run: a chain of tasks that do nothing. */
import { Database } from "bun:sqlite"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import { Observer } from "../src/services/observer.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as MemoryRun from "./memory-run.ts"
import * as Project from "./project.ts"

type Where = "memory" | "batched" | "fsync"

/** Times at which the tasks of one run ended, milliseconds. */
const endings = async (project: Project.BenchProject, where: Where, effects: Project.NoopClass, tasks: number) => {
  const ended: Array<number> = []
  const observer = {
    onEvent: ({ type }: { readonly type: string }) => {
      if (type === "dev.dandori.attempt.succeeded.v1") ended.push(performance.now())
    },
    onProgress: () => {},
    onLog: () => {},
    onWaiting: () => {},
  }
  const plan = Project.plan(tasks, "chain", effects)
  const request = project.request(plan, where === "fsync" ? "fsync" : "batched")
  const work =
    where === "memory" ? MemoryRun.execute(plan, request) : Effect.map(Run.start(request), ({ state }) => state)
  const state = await project.run(Effect.provideService(work, Observer, observer))
  if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
  return ended
}

/** Costs of the tasks in a window of a run, in a unit of `perMilli` to the millisecond. */
const costs = (ended: ReadonlyArray<number>, from: number, width: number, perMilli: number): ReadonlyArray<number> =>
  Array.from(
    { length: Math.min(width, ended.length - 1 - from) },
    (_, i) => (ended[from + i + 1] - ended[from + i]) * perMilli,
  )

interface Case {
  readonly where: Where
  readonly effects: Project.NoopClass
  readonly places: ReadonlyArray<number>
  readonly rounds: number
}

const scales = {
  memory: { unit: "µs", perMilli: 1000, limit: 50 },
  batched: { unit: "ms", perMilli: 1, limit: 1.4 },
  fsync: { unit: "ms", perMilli: 1, limit: 1.4 },
}

const measure = async (project: Project.BenchProject, { effects, places, rounds, where }: Case, width: number) => {
  const { limit, perMilli, unit } = scales[where]
  const deepest = Math.max(...places)
  await endings(project, where, effects, Math.min(500, deepest + width))
  const runs: Array<ReadonlyArray<number>> = []
  for (let round = 0; round < rounds; round++) runs.push(await endings(project, where, effects, deepest + width + 1))
  const at = (place: number) => `at task ${Math.max(1, place).toLocaleString("en-US")}`
  const windowOf = (ended: ReadonlyArray<number>, place: number) => costs(ended, place, width, perMilli)
  const middle = (place: number) =>
    Figures.percentile(
      runs.flatMap((ended) => windowOf(ended, place)),
      0.5,
    )
  const found: Array<Figure> = places.map((place) =>
    Figures.fromValues(
      `${where}, ${effects}: ${at(place)}`,
      unit,
      runs.flatMap((ended) => windowOf(ended, place)),
      { target: { atMost: limit } },
    ),
  )
  const [first, second, ...later] = places
  for (const [place, before] of [[second, first], ...later.map((place) => [place, second])]) {
    const ratios = runs.map(
      (ended) => Figures.percentile(windowOf(ended, place), 0.5) / Figures.percentile(windowOf(ended, before), 0.5),
    )
    found.push({
      name: `${where}, ${effects}: ${at(place)} : ${at(before)}`,
      unit: "",
      p50: middle(place) / middle(before),
      best: Math.min(...ratios),
      target: { atMost: 1.1 },
    })
  }
  return found
}

/** One durable step of a peer: a SQLite transaction of two inserts (WAL, synchronous FULL), milliseconds. */
const sqlite = (folder: string, count: number): ReadonlyArray<number> => {
  using database = new Database(join(folder, "peer.sqlite"), { create: true })
  database.run("PRAGMA journal_mode = WAL")
  database.run("PRAGMA synchronous = FULL")
  database.run("CREATE TABLE events (id INTEGER PRIMARY KEY, task TEXT, data TEXT)")
  const insert = database.prepare("INSERT INTO events (task, data) VALUES (?, ?)")
  const step = database.transaction((task: string) => {
    insert.run(task, `{"type":"started"}`)
    insert.run(task, `{"type":"succeeded"}`)
  })
  return Array.from({ length: count }, (_, i) => {
    const start = performance.now()
    step(`t${i}`)
    return performance.now() - start
  })
}

/** Chains in memory and durable, and a peer's durable step beside them. */
export const bench: Bench = (scale) =>
  Project.withProject(async (project) => {
    const full = scale === "full"
    const width = full ? 200 : 5
    const some = full ? [0, 1_000] : [0, 5]
    const all = full ? [0, 1_000, 10_000, 100_000] : [0, 5, 10]
    const cases: ReadonlyArray<Case> = [
      { where: "memory", effects: "pure", places: all, rounds: full ? 3 : 1 },
      { where: "memory", effects: "idempotent", places: some, rounds: full ? 5 : 1 },
      { where: "batched", effects: "pure", places: all, rounds: full ? 3 : 1 },
      { where: "fsync", effects: "pure", places: some, rounds: full ? 3 : 1 },
      { where: "fsync", effects: "idempotent", places: some, rounds: full ? 3 : 1 },
    ]
    const figures: Array<Figure> = []
    for (const each of cases) figures.push(...(await measure(project, each, width)))
    const peer = sqlite(project.project, full ? 1_000 : 5)
    const step = Figures.percentile(peer, 0.5)
    const durable = figures.map((figure) =>
      figure.name.startsWith("fsync, idempotent") && figure.unit === "ms"
        ? { ...figure, against: { what: "a SQLite transaction", ratio: figure.p50 / step } }
        : figure,
    )
    return {
      figures: [
        ...durable,
        Figures.fromValues("SQLite, WAL, synchronous FULL: transaction of two inserts", "ms", peer),
      ],
      notes: [
        `each task waits for the one before; windows of ${width} tasks, several runs after one to warm up`,
        "memory: the engine without a ledger's file; pure tasks wait for no flush, idempotent ones for the flush of their intent",
      ],
    }
  })

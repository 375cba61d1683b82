/** Start of child processes until their work begins, its share of the work, and what workers save that are kept. */
import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as CompileChild from "../src/services/compile-child.ts"
import * as ProcessesLocal from "../src/services/processes-local.ts"
import { Processes } from "../src/services/processes.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"
import * as Trainings from "./trainings.ts"

const cli = [process.execPath, join(Place.repository, "src/cli/main.ts")]

const oneTask = `import { pipeline } from "dandori"
import { command } from "dandori/tasks"

export default pipeline("bench", {}, ({ task }) => void task("one", command, { argv: ["true"] }))
`

/** A trainer that ends at the first thing it does: its manifest is not there. */
const trainerOf = (folder: string) => () => {
  const { stderr, stdout } = Bun.spawnSync([...cli, "__trainer", join(folder, "no manifest.json")], { cwd: folder })
  const said = `${stdout}${stderr}`
  if (!said.includes("it does not exist")) throw new Error(`The trainer said: ${said}`)
}

/** Milliseconds of each task of the sample pipeline, run once from nothing. */
const sampleRun = (folder: string): ReadonlyMap<string, number> => {
  for (const name of ["configs", "pipelines", "samples"])
    cpSync(join(Place.repository, name), join(folder, name), { recursive: true })
  const dandori = (...args: ReadonlyArray<string>): ReadonlyArray<{ readonly [key: string]: any }> => {
    const { exitCode, stderr, stdout } = Bun.spawnSync([...cli, ...args, "--json"], { cwd: folder })
    if (exitCode !== 0) throw new Error(`dandori ${args.join(" ")} ended with ${exitCode}: ${stderr}`)
    return stdout
      .toString()
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line)]))
  }
  dandori("run", "pipelines/sample-e2e.yaml")
  const [{ run }] = dandori("runs", "list")
  return new Map(
    dandori("ledger", "show", run)
      .filter(({ type }) => type === "dev.dandori.attempt.succeeded.v1")
      .map(({ data }) => [data.task, data.millis]),
  )
}

/** Starts, each over and over; then, at full scale, one run of the sample pipeline to set them against. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const rounds = scale === "full" ? 20 : 2
    const script = join(folder, "one.ts")
    writeFileSync(script, oneTask)
    const trainer = await Figures.times(rounds, trainerOf(folder))
    const compile = await Figures.times(rounds, () =>
      Effect.runPromise(
        CompileChild.evaluate(script, 60_000).pipe(
          Effect.provideService(CompileChild.CompileProgram, [...cli, "__compile"]),
          Effect.scoped,
        ),
      ),
    )
    const processes = ProcessesLocal.layer({ folder: join(folder, "processes") })
    const command = await Figures.times(rounds, () =>
      Effect.runPromise(
        Effect.provide(
          Effect.flatMap(Processes, ({ run }) => run({ argv: ["true"] })),
          processes,
        ),
      ),
    )
    const figures: Array<Figure> = [
      Figures.fromTimes("train: start of its child", trainer),
      Figures.fromTimes("command: start and end of `true`", command),
      Figures.fromTimes("a TypeScript pipeline of one task: its whole child", compile),
    ]
    if (scale === "full") {
      const millis = sampleRun(folder)
      const training = millis.get("train") ?? Number.NaN
      const all = [...millis.values()].reduce((sum, each) => sum + each, 0)
      const share = (of: number) => (100 * Figures.percentile(trainer.millis, 0.5)) / of
      figures.push(
        Figures.fromValues("train in the sample pipeline", "ms", [training]),
        Figures.fromValues("its child's start, of that", "%", [share(training)], { target: { atMost: 5 } }),
        Figures.fromValues("its child's start, of all tasks", "%", [share(all)]),
        ...Trainings.figures(folder, cli),
      )
    }
    return {
      figures,
      notes: [
        "a start goes from the call to the first thing that the child does: the trainer looks for a manifest that is not there",
        "train with the built-in trainer keeps its child for the next training of the run; seed, dq, features and backtest have none, command starts one each time",
        "trainings: one process that starts them, to its end and theirs; its processor time counts theirs",
      ],
    }
  })

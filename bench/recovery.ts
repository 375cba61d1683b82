/** A run is killed with SIGKILL while a command of it works; how long `run --resume` takes to the command's next attempt. */
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as CliStart from "./cli-start.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

const pipeline = `version: 1
id: bench-recovery
tasks:
  first:
    uses: command
    with: { argv: ["true"], effects: idempotent }
  work:
    uses: command
    needs: [first]
    with: { argv: [sh, -c, "touch started-$(ls | wc -l).mark && exec sleep 60"], effects: idempotent, grace: 100ms }
`

const marks = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".mark"))

/** Waits until `holds`, while the run that is to bring it about is going on. */
const until = async (what: string, run: Bun.Subprocess, holds: () => boolean) => {
  const start = performance.now()
  while (!holds()) {
    if (run.exitCode !== null) throw new Error(`The run ended with ${run.exitCode} before ${what}`)
    if (performance.now() - start > 60_000) throw new Error(`Waited a minute for ${what}`)
    await Bun.sleep(1)
  }
}

const once = async (argv: ReadonlyArray<string>, project: string): Promise<number> => {
  for (const name of marks(project)) rmSync(join(project, name))
  const spawn = (...words: ReadonlyArray<string>) =>
    Bun.spawn([...argv, ...words], { cwd: project, stdin: "ignore", stdout: "ignore", stderr: "ignore" })
  const first = spawn("run", "bench.yaml")
  await until("the first attempt", first, () => marks(project).length === 1)
  const runs = join(project, ".dandori", "ledger", "runs")
  const [run] = readdirSync(runs, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ndjson"))
    .toSorted((a, b) => (a.slice(-42) < b.slice(-42) ? 1 : -1))
  first.kill("SIGKILL")
  await first.exited
  const start = performance.now()
  const second = spawn("run", "--resume", run.slice(-43, -7))
  await until("the resumed attempt", second, () => marks(project).length === 2)
  const taken = performance.now() - start
  second.kill("SIGINT")
  await second.exited
  return taken
}

/** Kill and resume by the command line, from source and compiled. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const { missing, programs } = CliStart.programs(scale)
    const figures: Array<Figure> = []
    for (const [how, argv] of programs) {
      const project = join(folder, how)
      mkdirSync(project)
      symlinkSync(join(Place.repository, "configs"), join(project, "configs"))
      writeFileSync(join(project, "bench.yaml"), pipeline)
      const taken: Array<number> = []
      for (let i = 0; i < (scale === "full" ? 5 : 1); i++) taken.push(await once(argv, project))
      figures.push(
        Figures.fromValues(`kill -9 to the first resumed attempt, ${how}`, "ms", taken, { target: { atMost: 2_000 } }),
      )
    }
    const notes = [
      "from the start of `run --resume`, which stops the command that was left, to the command's next start",
    ]
    return { figures, notes: missing === undefined ? notes : [...notes, `compiled: skipped, ${missing}`] }
  })

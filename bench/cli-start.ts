/** Start of the command line, from source and compiled: `--version`, and `validate` of a file of 50 tasks. */
import { existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

const compiled = join(Place.repository, "dist", "dandori")

const newest = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0)

/** Builds the executable if it is older than the sources; why there is none, or undefined. */
export const build = (scale: Figures.Scale): string | undefined => {
  const sources = () => Math.max(...["src", "tasks", "samples"].map((name) => newest(join(Place.repository, name))))
  if (existsSync(compiled) && (scale === "small" || statSync(compiled).mtimeMs > sources())) return undefined
  if (scale === "small") return "dist/dandori is not there, and a small bench does not build it"
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "deploy/build.ts"], {
    cwd: Place.repository,
    stdout: "ignore",
    stderr: "pipe",
  })
  return exitCode === 0 ? undefined : `deploy/build.ts failed: ${stderr.toString().trim().split("\n").at(-1)}`
}

/** The command line as argv, by how it is made. */
export const programs = (scale: Figures.Scale) => {
  const missing = build(scale)
  const source = ["source", [process.execPath, join(Place.repository, "src/cli/main.ts")]] as const
  return {
    missing,
    programs: missing === undefined ? [source, ["compiled", [compiled]] as const] : [source],
  }
}

/** A pipeline file of tasks in a chain, as a person writes it. */
export const pipelineText = (tasks: number): string =>
  [
    "version: 1",
    "id: bench",
    "tasks:",
    ...Array.from({ length: tasks }, (_, i) =>
      [
        `  t${i}:`,
        "    uses: command",
        `    with: { argv: [echo, "${i}"] }`,
        ...(i === 0 ? [] : [`    needs: [t${i - 1}]`]),
      ].join("\n"),
    ),
    "",
  ].join("\n")

/** Times of whole processes, from spawn to exit. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const file = join(folder, "bench.yaml")
    symlinkSync(join(Place.repository, "configs"), join(folder, "configs"))
    writeFileSync(file, pipelineText(50))
    const { missing, programs: found } = programs(scale)
    const figures: Array<Figure> = []
    const repeats = scale === "full" ? 20 : 2
    const spawn = (argv: ReadonlyArray<string>) => {
      const { exitCode, stderr } = Bun.spawnSync([...argv], { cwd: folder, stdout: "ignore", stderr: "pipe" })
      if (exitCode !== 0) throw new Error(`${argv.join(" ")} ended with ${exitCode}: ${stderr.toString()}`)
    }
    const empty = join(folder, "empty.ts")
    writeFileSync(empty, "")
    const bare = await Figures.times(repeats, () => spawn([process.execPath, empty]))
    for (const [how, argv] of found) {
      for (const [words, limit] of [[["--version"], 15], [["validate", file], 50]] as const) {
        spawn([...argv, ...words])
        const taken = await Figures.times(repeats, () => spawn([...argv, ...words]))
        figures.push(
          Figures.fromTimes(`${words[0]}, ${how}`, "ms", taken, {
            ...(how === "compiled" ? { target: { atMost: limit } } : {}),
            against: { what: "an empty Bun program", ratio: Figures.percentile(taken, 0.5) / Figures.percentile(bare, 0.5) },
          }),
        )
      }
    }
    figures.push(Figures.fromTimes("an empty Bun program", "ms", bare))
    return { figures, notes: missing === undefined ? [] : [`compiled: skipped, ${missing}`] }
  })

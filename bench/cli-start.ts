/** Start of the command line, from source and compiled: from `--version` to a run of three tasks. */
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
  const sources = Math.max(...["src", "tasks", "samples"].map((name) => newest(join(Place.repository, name))))
  if (existsSync(compiled) && statSync(compiled).mtimeMs > sources) return undefined
  if (scale === "small") return "dist/dandori is not there or old, and a small bench does not build it"
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
    const three = join(folder, "three.yaml")
    writeFileSync(three, pipelineText(3))
    const { missing, programs: found } = programs(scale)
    const figures: Array<Figure> = []
    const repeats = scale === "full" ? 20 : 2
    const empty = join(folder, "empty.ts")
    writeFileSync(empty, "")
    const bare = Figures.spawns(repeats, [process.execPath, empty], folder)
    for (const [how, argv] of found) {
      for (const [words, limit] of [
        [["--version"], 15],
        [["--help"], undefined],
        [["completion", "bash"], undefined],
        [["validate", file], 50],
        [["run", three], undefined],
      ] as const) {
        Figures.spawns(1, [...argv, ...words], folder)
        const taken = Figures.spawns(repeats, [...argv, ...words], folder)
        figures.push(
          Figures.fromTimes(`${words[0]}, ${how}`, taken, {
            ...(how === "compiled" && limit !== undefined ? { target: { atMost: limit } } : {}),
            against: {
              what: "the processor time of an empty Bun program",
              ratio: Figures.percentile(taken.cpu, 0.5) / Figures.percentile(bare.cpu, 0.5),
            },
          }),
        )
      }
    }
    figures.push(Figures.fromTimes("an empty Bun program", bare))
    return { figures, notes: missing === undefined ? [] : [`compiled: skipped, ${missing}`] }
  })

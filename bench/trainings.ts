/** Trainings of the sample data in fresh children and in workers that are kept, in turns. */
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import type { Figure } from "./figure.ts"
import * as Figures from "./figure.ts"

const child = [process.execPath, join(import.meta.dir, "trainings-child.ts")]

/** Leaves a trainer's manifest in the project: `cp` stands for a trainer, and gets one. */
const pipeline = `version: 1
id: manifest
tasks:
  seed:
    uses: seed
    with: { symbols: [EURUSD, GBPUSD], timeframe: 1h, expectations: samples/expectations.yaml, months: { from: '2024-01', to: '2025-12' } }
  dq:
    uses: dq
    with: { dataset: '\${{ tasks.seed.dataset }}', expectations: samples/expectations.yaml }
  train:
    uses: train
    with: { dataset: '\${{ tasks.dq.dataset }}', trainer: { kind: command, argv: [cp, -t, .] } }
`

/** A manifest for the built-in trainer. */
const manifestOf = (folder: string, cli: ReadonlyArray<string>): string => {
  const file = join(folder, "pipelines/manifest.yaml")
  writeFileSync(file, pipeline)
  Bun.spawnSync([...cli, "run", file], { cwd: folder, stdout: "ignore", stderr: "ignore" })
  const manifest = JSON.parse(readFileSync(join(folder, "manifest-fit.json"), "utf8"))
  const path = join(folder, "manifest.json")
  writeFileSync(path, JSON.stringify({ ...manifest, step: "train", trainer: { kind: "builtin" } }))
  return path
}

/** The manifest with the first months of its data alone, too few for a model: the trainer reads them and says so. */
const shortOf = (path: string): string => {
  const manifest = JSON.parse(readFileSync(path, "utf8"))
  const { partitions, ...dataset } = manifest.dataset
  const first = partitions.filter(({ month }: { readonly month: string }) => month < "2024-04")
  const short = path.replace(/\.json$/, " short.json")
  writeFileSync(short, JSON.stringify({ ...manifest, dataset: { ...dataset, partitions: first } }))
  return short
}

const both = (name: string, manifest: string, sizes: { readonly rounds: number; count: number; width: number }) => {
  const found = {
    fresh: { millis: new Array<number>(), cpu: new Array<number>() },
    kept: { millis: new Array<number>(), cpu: new Array<number>() },
  }
  for (let round = 0; round < sizes.rounds; round++) {
    for (const mode of ["fresh", "kept"] as const) {
      const { cpu, millis } = Figures.spawns(
        1,
        [...child, manifest, mode, String(sizes.count), String(sizes.width)],
        ".",
      )
      found[mode].millis.push(...millis)
      found[mode].cpu.push(...cpu)
    }
  }
  const fresh = Figures.fromTimes(`${name}: fresh children`, found.fresh)
  const kept = Figures.fromTimes(`${name}: kept workers`, found.kept)
  return [fresh, { ...kept, against: { what: "fresh children", ratio: kept.p50 / fresh.p50 } }]
}

/** In a project in which the sample pipeline has run. */
export const figures = (folder: string, cli: ReadonlyArray<string>): ReadonlyArray<Figure> => {
  const manifest = manifestOf(folder, cli)
  const width = availableParallelism()
  return [
    ...both("10 trainings of too little data, one by one", shortOf(manifest), { rounds: 5, count: 10, width: 1 }),
    ...both("4 trainings, one by one", manifest, { rounds: 2, count: 4, width: 1 }),
    ...both(`8 trainings, ${width} at a time`, manifest, { rounds: 2, count: 8, width }),
  ]
}

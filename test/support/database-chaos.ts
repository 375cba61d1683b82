import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { dice } from "./engine-interpreter.ts"
import * as Sample from "./sample-project.ts"
import * as Postgres from "./servers/postgres.ts"

/** What the restarts of a campaign came to. `faults` is empty when no run was lost, stuck or wrong. */
export interface Tally {
  finished: number
  /** Calls that found the database away and started nothing. */
  refused: number
  restarts: number
  /** Of those, by SIGKILL. */
  killed: number
  readonly faults: Array<string>
}

/** How a campaign goes: runs in all and at a time, and the time between two restarts. */
export interface Campaign {
  readonly runs: number
  readonly width: number
  readonly seed: number
  readonly restartMillis: readonly [least: number, most: number]
  readonly say?: (line: string) => void
}

/** The sample's project with registry and ledger in a database. */
export const projectOn = async (url: string): Promise<Sample.SampleProject> => {
  const project = await Sample.make()
  await Fs.mkdir(join(project.folder, "secrets"), { mode: 0o700 })
  await Fs.writeFile(join(project.folder, "secrets/dsn"), url, { mode: 0o600 })
  const dev = join(project.folder, "configs/envs/dev")
  await Fs.writeFile(join(dev, "database.yaml"), "backend: postgres\ndsn: ${file:secrets/dsn}\ntimeout: 2s\n")
  await Fs.writeFile(join(dev, "ledger.yaml"), "store: postgres\n")
  return project
}

const pipeline = "pipelines/sample-e2e.yaml"
/** A run of the sample takes seconds: one that takes so long is stuck, milliseconds. */
const patience = 180_000

/** Runs the sample again and again while its database is stopped, killed and started, and checks what is left. */
export const campaign = async (options: Campaign): Promise<Tally> => {
  const { runs, say = () => {}, seed, width } = options
  const random = dice(seed)
  const folder = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "database chaos ")))
  let server = await Postgres.start(folder)
  const project = await projectOn(server.url)
  const tally: Tally = { finished: 0, refused: 0, restarts: 0, killed: 0, faults: [] }
  const ids = new Set<string>()
  let left = runs
  let over = false

  const one = async () => {
    while (left > 0 && tally.faults.length === 0) {
      left--
      const call = Sample.start(project, ["run", pipeline])
      const timer = setTimeout(() => call.kill("SIGKILL"), patience)
      const { code, err, out } = await call.said
      clearTimeout(timer)
      const id = /^sample-e2e succeeded in .* {2}run (\S+)$/m.exec(out)?.[1]
      if (code === 0 && id !== undefined) {
        ids.add(id)
        if (++tally.finished % 20 === 0) say(`${tally.finished} runs finished, ${tally.restarts} restarts`)
      } else if (code === 69 && id === undefined) {
        tally.refused++
        left++
      } else tally.faults.push(`a run ended with ${code}: ${(out + err).slice(-2_000)}`)
    }
  }
  const restarting = async () => {
    const [least, most] = options.restartMillis
    while (!over) {
      await Bun.sleep(least + random(most - least + 1))
      if (over) return
      const kill = random(2) === 0
      await server.stop(kill ? "SIGKILL" : "SIGINT")
      server = await server.again()
      tally.restarts++
      if (kill) tally.killed++
    }
  }
  const restarter = restarting().catch((cause: unknown) => tally.faults.push(`the server: ${String(cause)}`))
  await Promise.all(Array.from({ length: width }, one))
  over = true
  await restarter

  const expect = (what: boolean, said: string) => void (what || tally.faults.push(said))
  const verified = await Sample.dandori(project, "ledger", "verify", "--registry")
  expect(verified.code === 0, `ledger verify: ${verified.code} ${verified.out}${verified.err}`)
  const recorded = Sample.ndjson((await Sample.dandori(project, "runs", "list", "--limit", "1000000", "--json")).out)
  const known = new Map(recorded.map(({ run, status }) => [run, status]))
  for (const id of ids) expect(known.get(id) === "succeeded", `run ${id} is ${known.get(id)}`)
  for (const [id, status] of known) expect(ids.has(id), `run ${id} is ${status}, and nobody was told of it`)
  const deployed = Sample.ndjson((await Sample.dandori(project, "model", "list", "--status", "deployed", "--json")).out)
  expect(deployed.length === 1, `${deployed.length} versions are deployed`)
  await server.stop("SIGINT")
  if (tally.faults.length === 0) {
    await Sample.remove(project)
    await Fs.rm(folder, { recursive: true, force: true })
  } else say(`kept: ${project.folder}`)
  return tally
}

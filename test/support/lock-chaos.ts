import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Database } from "bun:sqlite"
import { dice } from "./engine-interpreter.ts"

const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")
const proof = join(repository, "test/chaos/locks-proof.sh")

/** What the kills of a campaign came to. `faults` is empty when every promise holds. */
export interface Tally {
  kills: number
  /** Of those, processes that were stopped for a while before they were killed. */
  stopped: number
  finished: number
  resumed: number
  sections: number
  /** Sections that a kill cut off. */
  cut: number
  /** Marks that a killed process left and the next holder found. */
  stale: number
  readonly faults: Array<string>
}

/** How a campaign goes: processes at a time, and who hears of its progress. */
export interface Campaign {
  readonly kills: number
  readonly seed: number
  readonly width: number
  readonly say?: (line: string) => void
}

const tasks: Readonly<
  Record<string, { readonly locks?: ReadonlyArray<string>; readonly pair?: number; stubborn?: true }>
> = {
  one: { locks: ["one"] },
  two: { locks: ["two"] },
  both: { locks: ["one", "two"] },
  back: { locks: ["two", "one"], pair: 1 },
  half: { pair: 1 },
  other_half: { pair: 1 },
  pair: { pair: 2 },
  stubborn: { locks: ["one"], stubborn: true },
}

/** A pipeline whose tasks contend for two locks and a pool of two, each with the proof that nobody else is there. */
const pipeline = (marks: string, log: string): string => {
  const lines = Object.entries(tasks).map(([id, { locks = [], pair = 0, stubborn }], index) => {
    const wanted = [...locks.map((lock) => `${lock}:1:1`), ...(pair === 0 ? [] : [`pair:2:${pair}`])]
    const seconds = stubborn === true ? "0.25" : (0.03 * (1 + (index % 4))).toFixed(2)
    const argv = ["sh", proof, marks, log, seconds, stubborn === true ? "yes" : "no", ...wanted]
    const resources = { ...(locks.length === 0 ? {} : { locks }), ...(pair === 0 ? {} : { pools: { pair } }) }
    const input = { argv, effects: "idempotent", grace: "400ms" }
    return `  ${id}: ${JSON.stringify({ uses: "command", with: input, resources, retry: { attempts: 99 } })}`
  })
  return `version: 1\nid: locks\ntasks:\n${lines.join("\n")}\n`
}

const makeProject = async () => {
  const folder = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori locks ")))
  await Fs.cp(join(repository, "configs"), join(folder, "configs"), { recursive: true })
  const resources = join(folder, "configs/base/resources.yaml")
  await Fs.appendFile(resources, "  pair: 2\n")
  const marks = join(folder, "marks")
  const log = join(folder, "sections.log")
  await Fs.mkdir(marks)
  await Fs.writeFile(log, "")
  await Fs.mkdir(join(folder, "pipelines"))
  await Fs.writeFile(join(folder, "pipelines/locks.yaml"), pipeline(marks, log))
  return { folder, log }
}

const start = (folder: string, ...args: ReadonlyArray<string>) => {
  const child = Bun.spawn([bun, join(repository, "src/cli/main.ts"), "run", ...args, "--json"], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" },
  })
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const read = async () => {
    const decoder = new TextDecoder()
    let text = ""
    for await (const bytes of child.stdout) {
      text += decoder.decode(bytes, { stream: true })
      if (text.includes("attempt.started")) begin()
    }
    return text
  }
  return { child, begun, output: read(), error: new Response(child.stderr).text() }
}

const runOf = (output: string): string | undefined => /"run":"([0-9a-f-]{36})"/.exec(output)?.[1]

/** What must be true when nobody works in a project any more: no lease, no owner, no child process is left. */
const leftovers = async (folder: string): Promise<ReadonlyArray<string>> => {
  const home = join(folder, ".dandori")
  using database = new Database(join(home, "state.db"))
  const rows = ["lease_requests", "lease_wants", "lease_owners"].flatMap((table) =>
    database
      .query(`SELECT * FROM ${table}`)
      .all()
      .map((row) => `a row of ${table} is left: ${JSON.stringify(row)}`),
  )
  const files = await Promise.all(["owners", "processes"].map((name) => Fs.readdir(join(home, name))))
  // A half-written record is of a child that never got to work.
  const whole = files.flat().filter((name) => !name.endsWith(".tmp"))
  return [...rows, ...whole.map((name) => `${name} is left`)]
}

/** Kills processes of one project, as many as are wanted, then lets one run end and looks at what is left. */
const oneProject = async ({ kills, seed, width }: Campaign, tally: Tally, progress: () => void) => {
  const { folder, log } = await makeProject()
  const fault = (what: string) => void tally.faults.push(`seed ${seed}: ${what} (${folder})`)
  const interrupted: Array<string> = []
  let left = kills

  const one = async (draw: (below: number) => number) => {
    const run = draw(3) === 0 ? interrupted.shift() : undefined
    const [when, stops, millis] = [draw(8), draw(8) === 0, draw(1_000)]
    const { begun, child, error, output } = start(folder, ...(run === undefined ? ["locks"] : ["--resume", run]))
    const kill = async () => {
      // One in eight may end; two are killed at any time, the others where they hold something.
      if (when === 0) return child.exited
      await (when < 3 ? undefined : begun)
      await Bun.sleep(millis / 2)
      if (stops) child.kill("SIGSTOP")
      if (stops) await Bun.sleep(150)
      child.kill("SIGKILL")
    }
    await Promise.race([child.exited, kill()])
    await child.exited
    const said = await output
    if (child.signalCode === "SIGKILL") {
      left--
      tally.kills++
      if (stops) tally.stopped++
      const killed = run ?? runOf(said)
      if (killed !== undefined) interrupted.push(killed)
    } else if (child.exitCode === 0) {
      if (run === undefined) tally.finished++
      else tally.resumed++
    } else if (!(await error).includes("has ended")) {
      fault(`exit ${child.exitCode}: ${said.slice(-600)} ${(await error).slice(-600)}`)
    }
    progress()
  }

  await Promise.all(
    Array.from({ length: width }, async (_, index) => {
      const draw = dice(seed * 16 + index)
      while (left > 0 && tally.faults.length === 0) await one(draw)
    }),
  )
  const last = start(folder, "locks")
  const timer = setTimeout(() => last.child.kill("SIGTERM"), 120_000)
  await last.child.exited
  clearTimeout(timer)
  if (last.child.exitCode !== 0)
    fault(`the last run ended with ${last.child.exitCode}: ${(await last.error).slice(-600)}`)
  else for (const what of await leftovers(folder)) fault(what)

  const lines = (await Fs.readFile(log, "utf8")).split("\n").filter((line) => line !== "")
  const count = (word: string) => lines.filter((line) => line.startsWith(`${word} `)).length
  tally.sections += count("begin")
  tally.cut += count("begin") - count("end")
  tally.stale += count("stale")
  for (const line of lines.filter((each) => each.startsWith("VIOLATION"))) fault(line)
  if (tally.faults.length > 0) return
  await Bun.$`chmod -R u+rwX ${folder}`.quiet().nothrow()
  await Fs.rm(folder, { recursive: true, force: true })
}

const perProject = 100

/** Several processes of one machine run a pipeline of locked tasks and are killed at random moments. */
export const campaign = async (options: Campaign): Promise<Tally> => {
  const { kills, say, seed } = options
  const tally: Tally = { kills: 0, stopped: 0, finished: 0, resumed: 0, sections: 0, cut: 0, stale: 0, faults: [] }
  let next = 25
  const progress = () => {
    if (tally.kills < next) return
    next += 25
    say?.(`${tally.kills} kills, ${tally.finished} runs finished, ${tally.resumed} resumed to their end`)
  }
  for (let project = 0; tally.kills < kills && tally.faults.length === 0; project++) {
    const some = Math.min(perProject, kills - tally.kills)
    await oneProject({ ...options, kills: some, seed: seed + project }, tally, progress)
  }
  return tally
}

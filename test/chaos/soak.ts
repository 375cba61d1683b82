// The long trial of a daemon: `bun test/chaos/soak.ts [MINUTES] [KEPT]`. A run a second; what a run has left is purged
// after KEPT (default 5m). Says how the daemon's memory, its open files and its stores went, and exits 1 where a tick is
// missing, or where the memory, the open files or the stores grow without bound (see "judged" below).
import { readFileSync, readdirSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Machine from "../../bench/machine.ts"

const minutes = Number(process.argv[2] ?? 60)
const kept = process.argv[3] ?? "5m"
const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")
const everyMillis = 5_000

const say = (line: string) => void process.stdout.write(`${line}\n`)

type Samples = ReadonlyArray<readonly [number, number]>

/**
 * Means of so many parts of the samples, one after the other. Samples of a heap depend on those before them, for minutes:
 * an error that takes them for independent is too small (batch means: https://en.wikipedia.org/wiki/Batch_means).
 */
const parts = 10
const batchMeans = (samples: Samples): Samples => {
  const size = Math.floor(samples.length / parts)
  return Array.from({ length: parts }, (_, part) => {
    const some = samples.slice(part * size, (part + 1) * size)
    const mean = (i: 0 | 1) => some.reduce((sum, one) => sum + one[i], 0) / some.length
    return [mean(0), mean(1)] as const
  })
}

/** Slope of values over time by least squares of their batch means, with its standard error; per hour. */
const slope = (all: Samples) => {
  const samples = batchMeans(all)
  const n = samples.length
  const [meanT, meanV] = [0, 1].map((i) => samples.reduce((sum, one) => sum + one[i], 0) / n)
  const varT = samples.reduce((sum, [t]) => sum + (t - meanT) ** 2, 0)
  const b = samples.reduce((sum, [t, v]) => sum + (t - meanT) * (v - meanV), 0) / varT
  const rest = samples.reduce((sum, [t, v]) => sum + (v - meanV - b * (t - meanT)) ** 2, 0)
  const hour = 3_600_000
  return { perHour: b * hour, error: Math.sqrt(rest / (n - 2) / varT) * hour }
}

const bytesBelow = async (folder: string) => {
  const { stdout } = await Bun.$`du -sb ${folder}`.quiet().nothrow()
  return Number(stdout.toString().split("\t")[0]) || 0
}

const project = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori-soak-")))
await Fs.cp(join(repository, "configs"), join(project, "configs"), { recursive: true })
const retention = join(project, "configs/base/retention.yaml")
const text = await Fs.readFile(retention, "utf8")
await Fs.writeFile(
  retention,
  text.replace(/succeeded: \S+/, `succeeded: ${kept}`).replace(/others: \S+/, `others: ${kept}`),
)
await Fs.mkdir(join(project, "pipelines"))
await Fs.writeFile(
  join(project, "pipelines/often.yaml"),
  [
    "version: 1",
    "id: often",
    "schedule: { cron: '* * * * * *', timezone: UTC, overlap: queue-all, catchup: { policy: all, window: 1h } }",
    "tasks:",
    "  work: { uses: command, with: { effects: idempotent, argv: ['true'] } }",
    "",
  ].join("\n"),
)

const { SERVICE_ENV: _env, DANDORI_HOME: _home, ...env } = process.env
const daemon = Bun.spawn([bun, join(repository, "src/cli/main.ts"), "daemon", "--port", "0"], {
  cwd: project,
  env,
  stdin: null,
  stdout: "ignore",
  stderr: Bun.file(join(project, "daemon.log")),
})
process.on("exit", () => daemon.kill("SIGKILL"))
say(`${Machine.machine()}; ${Machine.load()}`)
say(`${minutes} minutes at one run a second, records kept ${kept}, in ${project}, process ${daemon.pid}`)

const status = (key: string) => {
  const found = new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))
  return Number(found?.[1] ?? 0)
}
const rss: Array<readonly [number, number]> = []
const files: Array<readonly [number, number]> = []
const stores: Array<readonly [number, number]> = []
const home = join(project, ".dandori")
const begun = Date.now()
let stopped = false
process.on("SIGINT", () => void (stopped = true))
for (let count = 0; !stopped && Date.now() - begun < minutes * 60_000 && daemon.exitCode === null; count++) {
  await Bun.sleep(everyMillis)
  const at = Date.now() - begun
  rss.push([at, status("VmRSS") / 1_024])
  files.push([at, readdirSync(`/proc/${daemon.pid}/fd`).length])
  // The stream of the schedules and the root keep a little of each run that is purged: they grow, as they should.
  const bytes = await bytesBelow(home)
  const lasting =
    (await bytesBelow(join(home, "ledger/schedules"))) + (await bytesBelow(join(home, "ledger/root.ndjson")))
  stores.push([at, bytes - lasting])
  if (count % 12 !== 0) continue
  // On a busy machine the daemon has not begun by the first look.
  const names = await Fs.readdir(join(home, "ledger/runs"), { recursive: true }).catch(() => [])
  const runs = names.filter((name) => name.endsWith(".ndjson")).length
  const [, megabytes] = rss[rss.length - 1]
  const [, open] = files[files.length - 1]
  say(
    `${(at / 60_000).toFixed(1)} min  RSS ${megabytes.toFixed(0)} MiB  fds ${open}  stores ${(bytes / 2 ** 20).toFixed(1)} MiB  runs kept ${runs}`,
  )
}
daemon.kill("SIGTERM")
const code = await daemon.exited

interface Line {
  readonly type: string
  readonly time: string
  readonly data: { readonly tick: string; readonly through?: string; readonly ticks?: number; readonly status?: string }
}
const lines = (await Fs.readFile(join(home, "ledger/schedules/dev.ndjson"), "utf8"))
  .trim()
  .split("\n")
  .map((line): Line => JSON.parse(line))
const faults: Array<string> = []
let next: number | undefined
const lateness: Array<number> = []
const ends = new Map<string, number>()
for (const { data, time, type } of lines) {
  if (type === "dev.dandori.schedule.run.ended.v1") {
    ends.set(data.status ?? "", (ends.get(data.status ?? "") ?? 0) + 1)
  }
  if (type !== "dev.dandori.schedule.tick.closed.v1") continue
  const tick = Date.parse(data.tick)
  if (next !== undefined && tick !== next)
    faults.push(`after ${new Date(next - 1_000).toISOString()} came ${data.tick}`)
  next = tick + (data.ticks ?? 1) * 1_000
  lateness.push(Date.parse(time) - Date.parse(data.through ?? data.tick))
}
if (code !== 0) faults.push(`the daemon ended with ${code}`)
const verify = await Bun.$`${bun} ${join(repository, "src/cli/main.ts")} ledger verify`.cwd(project).quiet().nothrow()
if (verify.exitCode !== 0) faults.push(`the ledger does not verify: ${verify.stdout.toString()}`)

// The first part warms up: code is compiled, and the first records are not purged yet.
const settled = <A extends readonly [number, number]>(all: ReadonlyArray<A>) => all.slice(Math.floor(all.length / 3))
const memory = slope(settled(rss))
const open = slope(settled(files))
const mean = (all: ReadonlyArray<readonly [number, number]>) => all.reduce((sum, [, v]) => sum + v, 0) / all.length
const third = Math.floor(stores.length / 3)
const [middle, last] = [mean(stores.slice(third, 2 * third)), mean(stores.slice(2 * third))]

const longEnough = 60
const mostMemory = 20
const mostFiles = 1
const mostGrowth = 1.5
/** What a slope is at least, but for one time in forty: Student's t for as many means as there are, less two. */
const student = 2.31
const least = ({ error, perHour }: ReturnType<typeof slope>) => perHour - student * error
/** What is judged: what it is, how it went, what it may be at most, and why it is not judged, where that is so. */
const judged: ReadonlyArray<readonly [what: string, is: number, most: number, unjudged: string | undefined]> = [
  // The heap grows by steps between two collections, and gives memory back by steps: over less than an hour, one of them
  // makes a slope of more than this by itself.
  [
    `RSS slope less ${student} times its error, MiB an hour`,
    least(memory),
    mostMemory,
    minutes < longEnough ? `the soak is shorter than ${longEnough} minutes` : undefined,
  ],
  [`open files slope less ${student} times its error, an hour`, least(open), mostFiles, undefined],
  // What is kept for KEPT is all there when the middle third begins, if that is three times as long.
  [
    "stores but schedules and root, mean of the last third by that of the middle third",
    last / middle,
    mostGrowth,
    undefined,
  ],
]
const sorted = lateness.toSorted((a, b) => a - b)
const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
const total = [...ends.values()].reduce((sum, count) => sum + count, 0)
const schedules = await bytesBelow(join(home, "ledger/schedules"))
const root = await bytesBelow(join(home, "ledger/root.ndjson"))
say(`ticks ${lateness.length}, lateness p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${sorted.at(-1)} ms`)
say(`runs ended ${total}: ${JSON.stringify(Object.fromEntries(ends))}`)
say(`RSS slope ${memory.perHour.toFixed(2)} ± ${memory.error.toFixed(2)} MiB an hour (after the first third)`)
say(`open files slope ${open.perHour.toFixed(2)} ± ${open.error.toFixed(2)} an hour`)
say(
  `bytes of a run that stay after its purge: ${(schedules / total).toFixed(0)} in the schedules' stream, ${(root / total).toFixed(0)} in the root`,
)
for (const [what, is, most, unjudged] of judged) {
  // NaN, of too few samples, is no pass.
  const isFine = is <= most
  const verdict = unjudged === undefined ? (isFine ? "fine" : "TOO MUCH") : `not judged: ${unjudged}`
  say(`judged: ${what}: ${is.toFixed(2)}, at most ${most}: ${verdict}`)
  if (unjudged === undefined && !isFine) faults.push(`${what} is ${is.toFixed(2)}, more than ${most}`)
}
for (const fault of faults.slice(0, 10)) say(`FAULT ${fault}`)
say(faults.length === 0 ? "no fault" : `${faults.length} faults, kept in ${project}`)
if (faults.length === 0) await Fs.rm(project, { recursive: true, force: true })
process.exitCode = faults.length === 0 ? 0 : 1

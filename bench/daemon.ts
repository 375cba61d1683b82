/** A daemon: a thousand schedules that tick in one second, what it catches up after kill -9, and what it takes when idle. */
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Event } from "../src/domain/event.ts"
import { runOf, timeText } from "../src/domain/occurrence.ts"
import * as Sha256 from "../src/domain/sha256.ts"
import * as LedgerSegments from "../src/ledger/ledger-segments.ts"
import { Ledger } from "../src/ledger/ledger.ts"
import * as StreamName from "../src/ledger/stream-name.ts"
import * as CliStart from "./cli-start.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

interface Closed {
  readonly data: { readonly tick: string }
}

const scheduled = (id: string, cron: string, more = "") =>
  `version: 1
id: ${id}
schedule: { cron: "${cron}", timezone: UTC, overlap: queue-one${more} }
tasks:
  work: { uses: command, with: { argv: ["true"], effects: idempotent } }
`

const streamOf = (project: string) => join(project, ".dandori/ledger/schedules/dev.ndjson")

const isClosed = (line: string) => line.includes('"dev.dandori.schedule.tick.closed.v1"')

const closedIn = (project: string): ReadonlyArray<Closed> => {
  const stream = streamOf(project)
  if (!existsSync(stream)) return []
  const text = readFileSync(stream, "utf8")
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .flatMap((line) => (isClosed(line) ? [JSON.parse(line) as Closed] : []))
}

const place = (folder: string, name: string, pipelines: ReadonlyArray<readonly [string, string]>) => {
  const project = join(folder, name)
  mkdirSync(join(project, "pipelines"), { recursive: true })
  symlinkSync(join(Place.repository, "configs"), join(project, "configs"))
  for (const [id, text] of pipelines) writeFileSync(join(project, "pipelines", `${id}.yaml`), text)
  return project
}

const start = (argv: ReadonlyArray<string>, project: string) =>
  Bun.spawn([...argv, "daemon", "--port", "0"], { cwd: project, stdin: "ignore", stdout: "ignore", stderr: "ignore" })

const until = async (what: string, daemon: Bun.Subprocess, holds: () => boolean, every = 5) => {
  const begun = performance.now()
  while (!holds()) {
    if (daemon.exitCode !== null) throw new Error(`The daemon ended with ${daemon.exitCode} before ${what}`)
    if (performance.now() - begun > 180_000) throw new Error(`Waited three minutes for ${what}`)
    await Bun.sleep(every)
  }
}

const end = async (daemon: Bun.Subprocess) => {
  daemon.kill("SIGTERM")
  await daemon.exited
}

/** When a file's growth was seen, milliseconds since the epoch, looked at each millisecond from one moment to another. */
const growthOf = async (path: string, from: number, to: number) => {
  await Bun.sleep(Math.max(0, from - Date.now()))
  const seen: Array<{ readonly at: number; readonly bytes: number }> = []
  while (Date.now() < to) {
    const bytes = existsSync(path) ? statSync(path).size : 0
    if (bytes > (seen.at(-1)?.bytes ?? -1)) seen.push({ at: Date.now(), bytes })
    await Bun.sleep(1)
  }
  return seen
}

/** Milliseconds from the nominal second until each tick's outcome was in the ledger's file, for schedules that all tick in it. */
const lateness = async (argv: ReadonlyArray<string>, folder: string, how: string, count: number) => {
  // The second is far enough away for all to be compiled and deployed.
  const nominal = Math.ceil((Date.now() + (count > 100 ? 25_000 : 15_000)) / 1_000) * 1_000
  const ids = Array.from({ length: count }, (_, n) => `p${n}`)
  const cron = `${new Date(nominal).getUTCSeconds()} * * * * *`
  const project = place(
    folder,
    `${how}-many`,
    ids.map((id) => [id, scheduled(id, cron)] as const),
  )
  const stream = streamOf(project)
  const daemon = start(argv, project)
  const growth = await growthOf(stream, nominal - 100, nominal + 5_000)
  await end(daemon)
  const tick = timeText(nominal)
  const late: Array<number> = []
  let bytes = 0
  for (const line of readFileSync(stream, "utf8").split("\n")) {
    bytes += Buffer.byteLength(line) + 1
    if (!isClosed(line) || (JSON.parse(line) as Closed).data.tick !== tick) continue
    const seen = growth.find((one) => one.bytes >= bytes)
    if (seen !== undefined) late.push(seen.at - nominal)
  }
  if (late.length !== count) throw new Error(`${late.length} of ${count} ticks were closed within five seconds`)
  return late
}

/** From the start of the next process until the first tick that nobody watched is closed, milliseconds. */
const catchUp = async (argv: ReadonlyArray<string>, folder: string, how: string, times: number) => {
  const text = scheduled("often", "* * * * * *", ", catchup: { policy: all, window: 1h }")
  const project = place(folder, `${how}-often`, [["often", text]])
  const taken: Array<number> = []
  for (let i = 0; i < times; i++) {
    const before = closedIn(project).length
    const daemon = start(argv, project)
    await until("a tick", daemon, () => closedIn(project).length > before + 1)
    daemon.kill("SIGKILL")
    await daemon.exited
    const known = closedIn(project).length
    // So old that the loop of a process that went on would have closed it long ago.
    await Bun.sleep(2_500)
    const begun = performance.now()
    const next = start(argv, project)
    await until("the first missed tick", next, () => closedIn(project).length > known, 1)
    taken.push(performance.now() - begun)
    await end(next)
  }
  return taken
}

/** Adds so many runs of ticks, noted and purged, to what a daemon has recorded: synthetic, as years would leave it. */
const age = (project: string, runs: number) => {
  const together = 1_000
  const home = join(project, ".dandori")
  const stream = StreamName.ofSchedules("dev")
  const head = Sha256.of("the end of a run")
  const part = Effect.fnUntraced(function* (from: number) {
    const ledger = yield* Ledger
    const all = Array.from({ length: together }, (_, n) => {
      const tick = Date.parse("2020-01-01T00:00:00Z") + (from + n) * 60_000
      return { tick: timeText(tick), run: runOf({ env: "dev", pipeline: "often", tick }) }
    })
    const root = all.flatMap(({ run }): ReadonlyArray<Event> => {
      const of = { stream: StreamName.ofRun(run) }
      return [
        { type: "dev.dandori.stream.opened.v1", data: { ...of, first: head } },
        { type: "dev.dandori.stream.closed.v1", data: { ...of, entries: 5, head } },
        { type: "dev.dandori.run.purged.v1", data: { ...of, run, entries: 5, head, rule: "succeeded" } },
      ]
    })
    const ends = all.map(({ run, tick }): Event => ({
      type: "dev.dandori.schedule.run.ended.v1",
      data: { pipeline: "often", tick, run, status: "succeeded" },
    }))
    yield* ledger.record(StreamName.root, root)
    yield* ledger.extend(stream, (yield* ledger.read(stream)).head, ends)
  })
  const author = { source: "dandori://dev/bench", authid: "bench", authtype: "user" } as const
  const ledger = LedgerSegments.layer({ folder: join(home, "ledger"), author, flushIntervalMillis: 1_000 })
  const parts = Array.from({ length: runs / together }, (_, n) => n * together)
  return Effect.runPromise(
    Effect.forEach(parts, part, { discard: true }).pipe(Effect.provide(Layer.provide(ledger, NodeServices.layer))),
  )
}

/** From the start of a process until the first missed tick is closed, with so many runs on record: the first start, and later ones. */
const agedCatchUp = async (argv: ReadonlyArray<string>, folder: string, how: string, runs: number, times: number) => {
  const text = scheduled("often", "* * * * * *", ", catchup: { policy: all, window: 1h }")
  const project = place(folder, `${how}-aged`, [["often", text]])
  const stream = streamOf(project)
  const daemon = start(argv, project)
  await until("a tick", daemon, () => closedIn(project).length > 0)
  await end(daemon)
  await age(project, runs)
  const taken: Array<number> = []
  for (let i = 0; i <= times; i++) {
    await Bun.sleep(2_500)
    const known = statSync(stream).size
    const begun = performance.now()
    const next = start(argv, project)
    await until("the first missed tick", next, () => statSync(stream).size > known, 1)
    taken.push(performance.now() - begun)
    await Bun.sleep(5_000)
    next.kill("SIGKILL")
    await next.exited
  }
  const [first, ...later] = taken
  return { first, later }
}

const ofProc = (pid: number, file: string, key: string) =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1] ?? 0)

/** Memory (MiB) and bytes written in a minute by a daemon that has nothing to do. */
const idle = async (argv: ReadonlyArray<string>, folder: string, how: string, seconds: number) => {
  const project = place(folder, `${how}-idle`, [["rare", scheduled("rare", "0 0 1 1 *")]])
  const daemon = start(argv, project)
  await until("the schedule", daemon, () => existsSync(streamOf(project)))
  await Bun.sleep(seconds * 1_000)
  const [rss, before] = [ofProc(daemon.pid, "status", "VmRSS") / 1_024, ofProc(daemon.pid, "io", "write_bytes")]
  await Bun.sleep(seconds * 1_000)
  const written = ((ofProc(daemon.pid, "io", "write_bytes") - before) * 60) / seconds
  await end(daemon)
  return { rss, written }
}

/** A daemon from source and compiled. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const { missing, programs } = CliStart.programs(scale)
    const isFull = scale === "full"
    const count = isFull ? 1_000 : 20
    const figures: Array<Figure> = []
    for (const [how, argv] of programs) {
      const daemons = isFull ? 5 : 1
      const late: Array<ReadonlyArray<number>> = []
      for (let i = 0; i < daemons; i++) late.push(await lateness(argv, folder, `${how}-${i}`, count))
      const highest = late.map((of) => Figures.percentile(of, 0.99))
      figures.push(
        Figures.fromValues(`${count} ticks of one second, p99 of the lateness, ${how}`, "ms", highest),
        Figures.fromValues(`the same of the worst of ${daemons} daemons, ${how}`, "ms", [Math.max(...highest)], {
          target: { atMost: 100 },
        }),
        Figures.fromValues(
          `kill -9 to the first missed tick, ${how}`,
          "ms",
          await catchUp(argv, folder, how, isFull ? 5 : 1),
          { target: { atMost: 2_000 } },
        ),
      )
      const runs = isFull ? 100_000 : 1_000
      const aged = await agedCatchUp(argv, folder, how, runs, isFull ? 3 : 1)
      figures.push(
        Figures.fromValues(`the same at the first start with ${runs} runs more on record, ${how}`, "ms", [aged.first]),
        Figures.fromValues(`the same at later starts with ${runs} runs more on record, ${how}`, "ms", aged.later, {
          target: { atMost: 2_000 },
        }),
      )
      const { rss, written } = await idle(argv, folder, how, isFull ? 30 : 3)
      figures.push(
        Figures.fromValues(`idle daemon, memory, ${how}`, "MiB", [rss], { target: { atMost: 100 } }),
        Figures.fromValues(`idle daemon, written in a minute, ${how}`, "KiB", [written / 1_024]),
      )
    }
    const notes = [
      "lateness: from the nominal second until the outcome is in the ledger's file, one flush before it is acknowledged and its run begins",
    ]
    return { figures, notes: missing === undefined ? notes : [...notes, `compiled: skipped, ${missing}`] }
  })

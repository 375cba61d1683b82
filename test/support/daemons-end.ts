import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Place from "./daemons-place.ts"

/** What was found in the database. */
export interface Counts {
  readonly ticks: number
  /** Entries about closed ticks, by what became of them. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly runs: number
  /** Runs that somebody asked to be cancelled while they were asked for, and those of them that were never created. */
  readonly cancels: number
  readonly calledOff: number
  /** How often a process went on with a run of another one. */
  readonly resumed: number
  readonly leaders: number
  /** From the last tick that a leader closed to the first one of the next leader, milliseconds. */
  readonly takeovers: { readonly p50: number; readonly max: number }
}

interface Entry {
  readonly type: string
  readonly time: string
  readonly data: Record<string, any>
}

const prefix = "dev.dandori."

/** The streams of the ledger as psql sees them, which knows nothing of Dandori. */
const streamsIn = async (url: string, like: string): Promise<ReadonlyMap<string, ReadonlyArray<Entry>>> => {
  const query = `COPY (SELECT json_build_array(stream, line) FROM ledger.events WHERE stream LIKE '${like}'
    ORDER BY stream COLLATE "C", sequence) TO STDOUT WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')`
  const text = await Bun.$`psql ${url} --no-psqlrc --quiet --command ${query}`.text()
  const streams = new Map<string, Array<Entry>>()
  for (const row of text.split("\n")) {
    if (row === "") continue
    const [stream, line] = JSON.parse(row) as [string, string]
    const entry = JSON.parse(line) as Entry
    const entries = streams.get(stream) ?? []
    streams.set(stream, entries)
    entries.push({ ...entry, type: entry.type.slice(prefix.length, -".v1".length) })
  }
  return streams
}

const book = async (url: string) => (await streamsIn(url, "schedules/%")).get("schedules/dev") ?? []

/** The runs that a book asks for. */
const wanted = (entries: ReadonlyArray<Entry>): ReadonlyMap<string, Entry> => {
  const runs = new Map<string, Entry>()
  for (const entry of entries) {
    const { data, type } = entry
    if (type === "schedule.tick.closed" && data.outcome.is === "ran") runs.set(data.outcome.run, entry)
    if (type === "schedule.run.requested") runs.set(data.run, entry)
    if (type === "schedule.tick.coalesced") runs.delete(data.run)
  }
  return runs
}

/** The runs that were asked for and have not ended by the stream of schedules. */
export const unended = async (url: string): Promise<ReadonlyArray<string>> => {
  const entries = await book(url)
  const runs = new Set(wanted(entries).keys())
  for (const { data, type } of entries) if (type === "schedule.run.ended") runs.delete(data.run)
  return [...runs]
}

/** The schedules that were not withdrawn yet. */
export const standing = async (url: string): Promise<ReadonlyArray<string>> => {
  const ids = new Set(Place.schedules.map(({ id }) => id))
  for (const { data, type } of await book(url)) if (type === "schedule.withdrawn") ids.delete(data.pipeline)
  return [...ids]
}

const twice = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => all.filter((one, index) => all.indexOf(one) !== index)

/** Faults of the ticks of one schedule: each is closed once, in order, without a gap. */
const ofTicks = ({ id, seconds }: Place.Ticking, entries: ReadonlyArray<Entry>) => {
  const faults: Array<string> = []
  const step = seconds * 1_000
  const own = entries.filter(({ data }) => data.pipeline === id)
  const deployed = own.filter(({ type }) => type === "schedule.deployed")
  if (deployed.length !== 1) faults.push(`${id} was deployed ${deployed.length} times`)
  let next = Math.floor(Date.parse(deployed[0]?.data.after ?? "") / step) * step + step
  let ticks = 0
  for (const { data, type } of own) {
    if (type !== "schedule.tick.closed") continue
    const [from, through, count] = [Date.parse(data.tick), Date.parse(data.through ?? data.tick), data.ticks ?? 1]
    if (from !== next) faults.push(`${id}: after ${new Date(next - step).toISOString()} comes ${data.tick}`)
    if (through !== from + (count - 1) * step)
      faults.push(`${id}: ${data.tick} to ${data.through} are no ${count} ticks`)
    if (data.outcome.is === "ran" && count !== 1) faults.push(`${id}: one run for ${count} ticks at ${data.tick}`)
    // Nobody raises a cordon or pauses a schedule here.
    if (data.outcome.is === "held") faults.push(`${id}: ${data.tick} was held: ${data.outcome.reason}`)
    next = through + step
    ticks += count
  }
  const last = Date.parse(own.find(({ type }) => type === "schedule.withdrawn")?.data.after ?? "")
  if (!(next > last)) {
    faults.push(
      `${id}: ${new Date(next).toISOString()} is not closed, but it was withdrawn at ${new Date(last).toISOString()}`,
    )
  }
  return { faults, ticks }
}

/** Faults of one run: it is created once, each of its attempts begins and ends once, one after the other, and so does it. */
const ofRun = (stream: string, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const [created, finished] = ["run.created", "run.finished"].map((type) => entries.filter((one) => one.type === type))
  if (created.length !== 1 || entries[0]?.type !== "run.created")
    faults.push(`${stream} has ${created.length} beginnings`)
  if (finished.length !== 1 || entries.at(-1)?.type !== "run.finished")
    faults.push(`${stream} has ${finished.length} ends`)
  let open: string | undefined
  const begun: Array<string> = []
  for (const { data, type } of entries) {
    const attempt = `${data.task} ${data.attempt}`
    if (type === "attempt.started") {
      if (open !== undefined) faults.push(`${stream}: ${attempt} begins while ${open} goes on`)
      open = attempt
      begun.push(attempt)
    } else if (type.startsWith("attempt.") && attempt === open) open = undefined
  }
  for (const attempt of twice(begun)) faults.push(`${stream}: ${attempt} begins twice`)
  return faults
}

/** Faults of what the attempts of runs did: nobody was at the same one at the same time, and a run that succeeded worked. */
const ofWork = async (work: string, succeeded: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const faults: Array<string> = []
  const overlaps = await Fs.readFile(join(work, "overlaps"), "utf8").catch(() => "")
  for (const attempt of overlaps.trim().split("\n"))
    if (attempt !== "") faults.push(`${attempt} went on beside another`)
  for (const run of succeeded) {
    const done = await Fs.readFile(join(work, run), "utf8").catch(() => "")
    const ends = done.split("\n").filter((line) => line.startsWith("end "))
    if (ends.length === 0) faults.push(`run ${run} succeeded, but its work was not done: ${done}`)
  }
  return faults
}

/** A task that so many processes were lost with is not tried again. */
const mostLost = 3

const attemptsLost = (entries: ReadonlyArray<Entry>): number =>
  entries.filter(({ type }) => type === "attempt.lost").length

const takeoversIn = (system: ReadonlyArray<Entry>, entries: ReadonlyArray<Entry>): ReadonlyArray<number> => {
  const closed = entries.flatMap(({ time, type }) => (type === "schedule.tick.closed" ? [Date.parse(time)] : []))
  const taken = system.flatMap(({ time, type }) => (type === "leadership.taken" ? [Date.parse(time)] : []))
  return taken.slice(1).flatMap((at) => {
    const before = closed.findLast((time) => time < at)
    const after = closed.find((time) => time >= at)
    return before === undefined || after === undefined ? [] : [after - before]
  })
}

/** Checks what daemons left in the database and in the folder of their work, from these alone. */
export const check = async (
  url: string,
  work: string,
  taken: ReadonlyMap<string, string>,
  cancelled: ReadonlyMap<string, boolean>,
): Promise<Counts & { readonly faults: ReadonlyArray<string> }> => {
  const entries = await book(url)
  const runs = await streamsIn(url, "runs/%")
  const system = (await streamsIn(url, "system")).get("system") ?? []
  const ofSchedules = Place.schedules.map((schedule) => ofTicks(schedule, entries))
  const faults = ofSchedules.flatMap((one) => one.faults)
  const asked = wanted(entries)
  const ended = entries.flatMap(({ data, type }) => (type === "schedule.run.ended" ? [data] : []))
  for (const run of twice(ended.map(({ run }) => run))) faults.push(`run ${run} has ended twice by its schedule`)
  const cancels = new Set(
    entries.flatMap(({ data, type }) => (type === "schedule.run.cancel.requested" ? [data.run as string] : [])),
  )
  const calledOff = new Set(
    ended.flatMap(({ reason, run, status }) => (status === "cancelled" && reason !== undefined ? [run as string] : [])),
  )
  for (const { reason, run } of ended) {
    if (!calledOff.has(run) || cancels.has(run) || String(reason).includes("overlap cancel-running")) continue
    faults.push(`run ${run} was called off, and nobody asked for that: ${reason}`)
  }
  for (const [run, isAcknowledged] of cancelled) {
    const isSaid = cancels.has(run) || runs.get(`runs/${run}`)?.some(({ type }) => type === "cancel.requested")
    if (isAcknowledged && isSaid !== true) faults.push(`that run ${run} is to be cancelled was lost`)
  }
  const statuses = new Map(ended.map(({ run, status }) => [run as string, status as string]))
  for (const run of asked.keys()) {
    const stream = runs.get(`runs/${run}`)
    if (calledOff.has(run)) {
      if (stream !== undefined) faults.push(`run ${run} was called off, and is there`)
      continue
    }
    if (stream === undefined) faults.push(`run ${run} was to be, and is not: ${statuses.get(run)}`)
    const status = stream?.at(-1)?.data.status
    if (stream !== undefined && status !== statuses.get(run)) {
      faults.push(`run ${run} is ${status}, but ${statuses.get(run)} by its schedule`)
    }
    const isWorn = status === "lost" && attemptsLost(stream ?? []) >= mostLost
    if (status !== "succeeded" && status !== "cancelled" && !isWorn) faults.push(`run ${run} is ${status}`)
  }
  for (const [stream, own] of runs) {
    faults.push(...ofRun(stream, own))
    if (!asked.has(stream.slice("runs/".length))) faults.push(`${stream} is there, and nobody asked for it`)
  }
  for (const [key, run] of taken) {
    if (!asked.has(run)) faults.push(`run ${run} was taken for ${key}, and is not asked for`)
  }
  for (const run of twice([...taken.values()])) faults.push(`run ${run} was taken for two requests`)
  const requests = entries.filter(({ type }) => type === "schedule.run.requested").map(({ data }) => data.run as string)
  for (const run of twice(requests)) faults.push(`run ${run} was requested twice`)
  for (const run of requests) if (![...taken.values()].includes(run)) faults.push(`run ${run} is of no request`)
  faults.push(
    ...(await ofWork(
      work,
      [...statuses].flatMap(([run, status]) => (status === "succeeded" ? [run] : [])),
    )),
  )
  const outcomes: Record<string, number> = {}
  for (const { data, type } of entries) {
    if (type === "schedule.tick.closed")
      outcomes[data.outcome.is] = (outcomes[data.outcome.is] ?? 0) + (data.ticks ?? 1)
  }
  const takeovers = takeoversIn(system, entries).toSorted((a, b) => a - b)
  return {
    faults,
    ticks: ofSchedules.reduce((sum, one) => sum + one.ticks, 0),
    outcomes,
    runs: runs.size,
    cancels: cancels.size,
    calledOff: calledOff.size,
    resumed: [...runs.values()].flat().filter(({ type }) => type === "run.resumed").length,
    leaders: system.filter(({ type }) => type === "leadership.taken").length,
    takeovers: { p50: takeovers[Math.floor(takeovers.length / 2)] ?? 0, max: takeovers.at(-1) ?? 0 },
  }
}

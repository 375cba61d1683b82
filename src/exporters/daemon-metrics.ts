import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { FinalRunStatus } from "../domain/final-run-status.ts"
import type { Outcome } from "../domain/occurrence.ts"
import type { Way } from "../services/dead-man.ts"
import * as ProcessUsage from "../services/process-usage.ts"
import * as OpenMetrics from "./open-metrics.ts"

/** A family, and what its labels can be: the values of each, or in words what bounds them. */
interface Described extends OpenMetrics.Family {
  readonly labels?: Readonly<Record<string, ReadonlyArray<string> | string>>
}

const outcomes: ReadonlyArray<Outcome["is"]> = ["ran", "skipped", "coalesced", "missed", "held"]
const ways: ReadonlyArray<Way> = ["file", "url", "watchdog"]
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

const seconds = { unit: "seconds" } as const
const bytes = { unit: "bytes" } as const

/** All that `/metrics` of a daemon says. A value that a label cannot have is counted as `other`. */
export const families = {
  build: { name: "dandori_build", type: "info", help: "The version that runs.", labels: { version: "one" } },
  leader: {
    name: "dandori_daemon_leader",
    type: "gauge",
    help: "1 in the daemon that schedules, 0 in one that waits.",
  },
  lastTurn: {
    name: "dandori_daemon_last_turn_timestamp_seconds",
    type: "gauge",
    ...seconds,
    help: "When the scheduler last looked for what is due.",
  },
  ticksClosed: {
    name: "dandori_ticks_closed",
    type: "counter",
    help: "Ticks of schedules, by what became of them.",
    labels: { outcome: outcomes },
  },
  tickLateness: {
    name: "dandori_tick_lateness_seconds",
    type: "histogram",
    ...seconds,
    help: "How long after it was due a tick was closed.",
  },
  runsOpen: { name: "dandori_runs_open", type: "gauge", help: "Runs that go on." },
  runsQueued: { name: "dandori_runs_queued", type: "gauge", help: "Runs that wait for room." },
  runsEnded: {
    name: "dandori_runs_ended",
    type: "counter",
    help: "Runs that ended, by their status.",
    labels: { status: FinalRunStatus.literals },
  },
  pipelinesBroken: {
    name: "dandori_pipelines_broken",
    type: "gauge",
    help: "Pipelines whose file does not compile or was not accepted; the deployed version goes on.",
  },
  configurationBroken: {
    name: "dandori_configuration_broken",
    type: "gauge",
    help: "1 while the configuration is broken: no change is deployed, and the deployed versions go on. Else 0.",
  },
  schedulesPaused: { name: "dandori_schedules_paused", type: "gauge", help: "Schedules that are paused." },
  storeBytes: {
    name: "dandori_store_bytes",
    type: "gauge",
    ...bytes,
    help: "Size of each store, when it was last measured.",
    labels: { store: "the stores of the project" },
  },
  ledgerAppend: {
    name: "dandori_ledger_append_seconds",
    type: "histogram",
    ...seconds,
    help: "How long it took until an event was durable.",
  },
  clockSteps: { name: "dandori_clock_steps", type: "counter", help: "Times that the clock was set." },
  pauses: {
    name: "dandori_process_pauses",
    type: "counter",
    help: "Times that the process, or the machine, stood still for 5 s or longer.",
  },
  deadManFailures: {
    name: "dandori_dead_man_failures",
    type: "counter",
    help: "Dead-man signals that did not arrive, by way.",
    labels: { way: ways },
  },
  apiRequests: {
    name: "dandori_api_requests",
    type: "counter",
    help: "Requests that were answered.",
    labels: { method: methods, code: "statuses of HTTP" },
  },
  apiStreams: { name: "dandori_api_streams", type: "gauge", help: "Event streams that are open." },
  resident: {
    name: "process_resident_memory_bytes",
    type: "gauge",
    ...bytes,
    help: "Memory of the process.",
  },
  cpu: { name: "process_cpu_seconds", type: "counter", ...seconds, help: "Time on processors." },
  openFiles: { name: "process_open_fds", type: "gauge", help: "Open file descriptors." },
  mostFiles: { name: "process_max_fds", type: "gauge", help: "File descriptors that there may be." },
  start: { name: "process_start_time_seconds", type: "gauge", ...seconds, help: "When the process started." },
} as const satisfies Readonly<Record<string, Described>>

type Key = keyof typeof families
type Counted = { readonly [K in Key]: (typeof families)[K]["type"] extends "counter" ? K : never }[Key]

const latenessBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400]
const appendBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

const histogram = (key: "tickLateness" | "ledgerAppend", boundaries: ReadonlyArray<number>) =>
  Metric.histogram(families[key].name, { description: families[key].help, boundaries })
const lateness = histogram("tickLateness", latenessBounds)
const appends = histogram("ledgerAppend", appendBounds)

/** A status, as a label has it. */
const codeOf = (status: number): string =>
  Number.isInteger(status) && status >= 100 && status <= 599 ? String(status) : "other"

const count = (
  key: Exclude<Counted, "cpu">,
  attributes: OpenMetrics.Labels = {},
  times: number = 1,
): Effect.Effect<void> => Metric.update(Metric.counter(families[key].name, { incremental: true, attributes }), times)

const observe = (metric: Metric.Histogram<number>, millis: number): Effect.Effect<void> =>
  Metric.update(metric, Math.max(0, millis) / 1_000)

/** So many ticks were closed with an outcome. */
export const ticksClosed = (outcome: Outcome["is"], ticks: number): Effect.Effect<void> =>
  count("ticksClosed", { outcome }, ticks)

/** A tick was closed so many milliseconds after it was due. */
export const tickLate = (millis: number): Effect.Effect<void> => observe(lateness, millis)

/** A run has ended. */
export const runEnded = (status: FinalRunStatus): Effect.Effect<void> => count("runsEnded", { status })

/** What is written at once is durable, so many milliseconds after it was handed over. */
export const appended = (millis: number): Effect.Effect<void> => observe(appends, millis)

/** The clock was set, or the process stood still. */
export const clockSeen = (is: "stepped" | "paused"): Effect.Effect<void> =>
  count(is === "stepped" ? "clockSteps" : "pauses")

/** A dead-man signal was tried by one way. */
export const deadManTried = (way: Way, succeeded: boolean): Effect.Effect<void> =>
  succeeded ? Effect.void : count("deadManFailures", { way })

/** A request was answered. Methods that nobody knows are one. */
export const requestAnswered = (method: string, status: number): Effect.Effect<void> =>
  count("apiRequests", { method: methods.includes(method) ? method : "other", code: codeOf(status) })

/** What is so when somebody looks. */
export interface Facts {
  readonly version: string
  readonly leader: boolean
  /** Milliseconds since the epoch; undefined before the first. */
  readonly lastTurn: number | undefined
  readonly runsOpen: number
  readonly runsQueued: number
  readonly pipelinesBroken: number
  /** Whether nothing can be deployed, since the configuration is not in order. */
  readonly configurationBroken: boolean
  readonly schedulesPaused: number
  /** Bytes of each store, as far as it was measured. */
  readonly storeBytes: Readonly<Record<string, number>>
  readonly apiStreams: number
}

const plain = (value: number | undefined): ReadonlyArray<OpenMetrics.Sample> =>
  value === undefined ? [] : [{ labels: {}, value }]

const told = (facts: Facts): Readonly<Partial<Record<Key, ReadonlyArray<OpenMetrics.Sample>>>> => {
  const { cpuSeconds, mostFiles, openFiles, residentBytes, startSeconds } = ProcessUsage.read()
  return {
    build: [{ labels: { version: facts.version }, value: 1 }],
    leader: plain(facts.leader ? 1 : 0),
    lastTurn: plain(facts.lastTurn === undefined ? undefined : facts.lastTurn / 1_000),
    runsOpen: plain(facts.runsOpen),
    runsQueued: plain(facts.runsQueued),
    pipelinesBroken: plain(facts.pipelinesBroken),
    configurationBroken: plain(facts.configurationBroken ? 1 : 0),
    schedulesPaused: plain(facts.schedulesPaused),
    storeBytes: Object.entries(facts.storeBytes).map(([store, value]) => ({ labels: { store }, value })),
    apiStreams: plain(facts.apiStreams),
    resident: plain(residentBytes),
    cpu: plain(cpuSeconds),
    openFiles: plain(openFiles),
    mostFiles: plain(mostFiles),
    start: plain(startSeconds),
  }
}

/** What a counter has before it has counted: zero for each value that its label can have, where they are few. */
const zeros = ({ labels = {}, type }: Described): ReadonlyArray<OpenMetrics.Sample> => {
  if (type !== "counter") return []
  const [label, ...more] = Object.entries(labels)
  if (label === undefined) return plain(0)
  const [name, values] = label
  return more.length > 0 || typeof values === "string"
    ? []
    : values.map((value) => ({ labels: { [name]: value }, value: 0 }))
}

const sampleOf = ({ attributes = {}, state }: Metric.Metric.Snapshot): OpenMetrics.Sample | undefined => {
  if ("buckets" in state) return { labels: attributes, value: state }
  return "count" in state && !("quantiles" in state) ? { labels: attributes, value: Number(state.count) } : undefined
}

const sameLabels = (a: OpenMetrics.Labels, b: OpenMetrics.Labels): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value)

/** What `/metrics` answers, as OpenMetrics: what was counted in this process, and what is so now. */
export const render = Effect.fnUntraced(function* (facts: Facts) {
  // Those that nothing was observed of yet are there from here on.
  for (const metric of [lateness, appends]) yield* Metric.value(metric)
  const snapshots = yield* Metric.snapshot
  const now = told(facts)
  const all = Object.entries(families).map(([key, family]) => {
    const counted = snapshots.filter(({ id }) => id === family.name).flatMap((one) => sampleOf(one) ?? [])
    const rest = zeros(family).filter(({ labels }) => !counted.some((sample) => sameLabels(labels, sample.labels)))
    return [family, now[key as Key] ?? [...counted, ...rest]] as const
  })
  return OpenMetrics.render(all)
})

/** OTLP metrics (opentelemetry-proto metrics.v1, JSON form) as a view of a run's entries. */
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { Entry, EventData } from "../domain/event.ts"
import type { EndedAttempt, Happening } from "./happening.ts"
import * as Otlp from "./otlp.ts"

/** One thing that was counted or measured. `value` is 1 for counters, seconds for durations. */
interface Measurement {
  readonly metric: keyof typeof instruments
  readonly attributes: Otlp.Attributes
  readonly value: number
}

/** Upper bounds of the buckets that durations are counted in, seconds. */
const bounds = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 43_200]

const instruments = {
  "cicd.pipeline.run.duration": { unit: "s", description: "Duration of a run by pipeline and result" },
  "cicd.pipeline.run.errors": { unit: "{error}", description: "Errors of attempts by pipeline and error tag" },
  "dandori.attempts": { unit: "{attempt}", description: "Attempts that have ended, by task and result" },
  "dandori.gate.verdicts": { unit: "{verdict}", description: "Verdicts of gates by task type" },
}

const ofAttempt = (pipeline: string, attempt: EndedAttempt): ReadonlyArray<Measurement> => {
  const { error, gate, outcome, task } = attempt
  const name = { "cicd.pipeline.name": pipeline }
  const result = { "cicd.pipeline.task.name": task, "cicd.pipeline.task.run.result": Otlp.resultOf[outcome] }
  const measured: Array<Measurement> = [{ metric: "dandori.attempts", attributes: { ...name, ...result }, value: 1 }]
  if (error !== undefined) {
    measured.push({ metric: "cicd.pipeline.run.errors", attributes: { ...name, "error.type": error.tag }, value: 1 })
  }
  if (gate !== undefined) {
    const judged = { "dandori.gate": gate.type, "dandori.verdict": gate.result.verdict }
    measured.push({ metric: "dandori.gate.verdicts", attributes: { ...name, ...judged }, value: 1 })
  }
  return measured
}

const measured = (pipeline: string, happening: Happening): ReadonlyArray<Measurement> => {
  if (happening.kind === "attempt-ended") return ofAttempt(pipeline, happening.attempt)
  if (happening.kind !== "run-ended") return []
  const attributes = {
    "cicd.pipeline.name": pipeline,
    "cicd.pipeline.run.state": "executing",
    "cicd.pipeline.result": Otlp.resultOf[happening.status],
    ...Otlp.errorType(happening.status, happening.error),
  }
  return [{ metric: "cicd.pipeline.run.duration", attributes, value: happening.durationMillis / 1_000 }]
}

const delta = 1

const bucketCounts = (values: ReadonlyArray<number>): Array<number> => {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0)
  for (const value of values) counts[bounds.findLastIndex((bound) => value > bound) + 1]++
  return counts
}

const metricOf = (
  name: keyof typeof instruments,
  groups: ReadonlyArray<ReadonlyArray<Measurement>>,
  span: { readonly startTimeUnixNano: string; readonly timeUnixNano: string },
): Otlp.Metric => {
  if (name !== "cicd.pipeline.run.duration") {
    const dataPoints = groups.map((group) => ({
      attributes: Otlp.attributes(group[0].attributes),
      ...span,
      asInt: group.length,
    }))
    return { name, ...instruments[name], sum: { dataPoints, aggregationTemporality: delta, isMonotonic: true } }
  }
  const dataPoints = groups.map((group) => {
    const values = group.map(({ value }) => value)
    return {
      attributes: Otlp.attributes(group[0].attributes),
      ...span,
      count: values.length,
      sum: values.reduce((sum, value) => sum + value, 0),
      min: Math.min(...values),
      max: Math.max(...values),
      bucketCounts: bucketCounts(values),
      explicitBounds: bounds,
    }
  })
  return { name, ...instruments[name], histogram: { dataPoints, aggregationTemporality: delta } }
}

/**
 * What these happenings of a run add to the counts and durations of runs, attempts, errors and gate verdicts: sums and
 * histograms with delta temporality, as the body of an OTLP request. Undefined when they add nothing. `first` is the run's
 * first entry.
 */
export const metricsData = (first: Entry, during: ReadonlyArray<Happening>): Otlp.MetricsData | undefined => {
  const { env, pipeline } = first.data as EventData<"dev.dandori.run.created.v1">
  const groups = new Map<keyof typeof instruments, Map<string, Array<Measurement>>>()
  const ended = during.filter(({ kind }) => kind === "attempt-ended" || kind === "run-ended")
  for (const measurement of ended.flatMap((happening) => measured(pipeline, happening))) {
    const points = groups.get(measurement.metric) ?? new Map<string, Array<Measurement>>()
    groups.set(measurement.metric, points)
    const key = CanonicalJson.encode(measurement.attributes)
    const group = points.get(key)
    if (group === undefined) points.set(key, [measurement])
    else group.push(measurement)
  }
  if (groups.size === 0) return undefined
  const span = {
    startTimeUnixNano: Otlp.nanos(ended[0].time),
    timeUnixNano: Otlp.nanos(ended[ended.length - 1].time),
  }
  const metrics = [...groups].map(([name, points]) => metricOf(name, [...points.values()], span))
  const resource = Otlp.resource(Otlp.placeOf(env, first.source))
  return {
    resourceMetrics: [{ resource, scopeMetrics: [{ scope: Otlp.scope, metrics }], schemaUrl: Otlp.schemaUrl }],
  }
}

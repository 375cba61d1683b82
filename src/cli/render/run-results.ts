import * as Schema from "effect/Schema"
import { Artifact } from "../../domain/artifact.ts"
import { GateResult } from "../../domain/gate.ts"
import { GatedModel, Model, slotText } from "../../domain/model.ts"
import { taskOf } from "../../engine/run-state.ts"
import * as Instances from "../../engine/instances.ts"
import { taskFacts, type RunFacts } from "../../engine/run-facts.ts"

/** A number beside the one that it has to be seen against: the share of positives, or what chance would give. */
export interface Metric {
  readonly name: string
  readonly value: number
  readonly baseRate?: number
  readonly chance?: number
}

/** One judged number of a gate. */
export interface Criterion {
  readonly name: string
  readonly observed: string
  readonly threshold: string
  readonly passed: boolean
  readonly severity: string
}

/** What a task's output says that people want to know at the end of a run. */
export interface TaskResult {
  readonly task: string
  readonly verdict?: GateResult["verdict"]
  readonly reasons: ReadonlyArray<string>
  readonly criteria: ReadonlyArray<Criterion>
  readonly model?: { readonly version: string; readonly slot: string }
  readonly metrics: ReadonlyArray<Metric>
  readonly synthetic: boolean
  readonly warnings: ReadonlyArray<string>
  readonly paths: ReadonlyArray<{ readonly name: string; readonly path: string }>
  readonly reports: ReadonlyArray<Artifact>
  readonly facts: ReadonlyArray<{ readonly name: string; readonly value: string }>
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const isGate = Schema.is(GateResult)
const isModel = Schema.is(Schema.Union([Model, GatedModel]))
const isArtifact = Schema.is(Artifact)
const isTexts = Schema.is(Schema.Array(Schema.String))
const isPage = ({ mediaType }: Artifact) => mediaType.startsWith("text/html") || mediaType === "application/pdf"
const isData = ({ mediaType }: Artifact) => mediaType.startsWith("application/json")

/** Up to four significant digits, thousands apart. */
export const number = (value: number): string =>
  Number.isInteger(value)
    ? value.toLocaleString("en-US")
    : value.toLocaleString("en-US", { maximumSignificantDigits: 4 })

const text = (value: unknown): string =>
  typeof value === "number" ? number(value) : value === null ? "not defined" : String(value)

const headline = /auc|base_rate|sharpe|return|drawdown|trades/
const mostMetrics = 12

/**
 * The numbers of a record, of many only the headline ones. The area under a precision-recall curve stands beside the
 * base rate of its classifier, the one under a ROC curve beside the 0.5 of chance.
 */
export const metricsOf = (metrics: Readonly<Record<string, number>>): ReadonlyArray<Metric> => {
  const all = Object.entries(metrics)
  const shown = all.length <= mostMetrics ? all : all.filter(([name]) => headline.test(name))
  return shown.map(([name, value]) => {
    const rate = metrics[name.replace(/_pr_auc.*$/, "_base_rate")]
    if (name.includes("_pr_auc")) return { name, value, ...(rate === undefined ? {} : { baseRate: rate }) }
    return { name, value, ...(name.includes("_auc") ? { chance: 0.5 } : {}) }
  })
}

const criteriaOf = (value: unknown): ReadonlyArray<Criterion> =>
  !Array.isArray(value)
    ? []
    : value.filter(isFields).flatMap((one) =>
        typeof one.name === "string" && typeof one.passed === "boolean" && "observed" in one && "threshold" in one
          ? [
              {
                name: one.name,
                observed: text(one.observed),
                threshold: `${typeof one.comparison === "string" ? `${one.comparison} ` : ""}${text(one.threshold)}`,
                passed: one.passed,
                severity: String(one.severity ?? "error"),
              },
            ]
          : [],
      )

const isSynthetic = (value: unknown, depth: number): boolean =>
  isFields(value) &&
  (value.synthetic === true || (depth > 0 && Object.values(value).some((inner) => isSynthetic(inner, depth - 1))))

const plainKeys = ["version", "digest", "slot", "deployed", "previous", "alreadyPublished", "snapshot", "objects"]

/** What the output of a task says. Nothing here knows a task type: it goes by what the values are. */
export const ofOutput = (task: string, output: unknown, gateEvent: GateResult | undefined): TaskResult | undefined => {
  if (!isFields(output)) return undefined
  const gate = isGate(output.gate) ? output.gate : gateEvent
  const model = isModel(output.model) ? output.model : undefined
  const values = Object.values(output)
  const artifacts = [...values, ...values.filter(Array.isArray).flat()].filter(isArtifact)
  const all = [...artifacts, ...(gate?.reports ?? [])]
  const listed = all.some(isPage) ? all.filter(isPage) : all.filter(isData)
  const result: TaskResult = {
    task,
    ...(gate === undefined ? {} : { verdict: gate.verdict }),
    reasons: gate?.reasons ?? [],
    criteria: [...criteriaOf(output.criteria), ...criteriaOf(output.checks)],
    ...(model === undefined || gate !== undefined
      ? {}
      : { model: { version: model.version, slot: slotText(model.slot) } }),
    metrics: model === undefined || gate !== undefined ? [] : metricsOf(model.metrics),
    synthetic: isSynthetic(output, 2),
    warnings: isTexts(output.warnings) ? output.warnings : [],
    paths: ["path", "location"].flatMap((name) => {
      const path = output[name]
      return typeof path === "string" ? [{ name, path }] : []
    }),
    reports: [...new Map(listed.map((artifact) => [artifact.sha256, artifact])).values()],
    facts: plainKeys.flatMap((name) => {
      const value = output[name]
      return ["string", "number", "boolean"].includes(typeof value) ? [{ name, value: text(value) }] : []
    }),
  }
  const says =
    result.verdict !== undefined ||
    result.model !== undefined ||
    result.warnings.length + result.paths.length + result.reports.length + result.criteria.length > 0
  return says || result.synthetic ? result : undefined
}

/** The results of a run's tasks in the order of its plan; `large` are outputs that are kept as artifacts. */
export const resultsOf = (facts: RunFacts, large: ReadonlyMap<string, unknown>): ReadonlyArray<TaskResult> =>
  facts.plan.tasks
    .flatMap(({ id: task }) => [task, ...Instances.idsOf(facts, task)])
    .flatMap((id) => {
      const { status } = taskOf(facts.state, id)
      const { gate, output, outputArtifact } = taskFacts(facts, id)
      const value = outputArtifact === undefined ? output : large.get(outputArtifact.sha256)
      if (value === undefined || status === "skipped") return []
      const result = ofOutput(id, value, gate)
      return result === undefined ? [] : [result]
    })

import * as HashMap from "effect/HashMap"
import type { Incomplete } from "../../engine/books.ts"
import * as CompiledPlan from "../../engine/compiled-plan.ts"
import { type TaskStatus, runStatus, taskOf } from "../../engine/run-state.ts"
import type { Hint } from "../hint.ts"
import * as Output from "../output.ts"
import { duration } from "./duration.ts"
import { incompleteLines } from "./incomplete.ts"
import * as Instances from "../../engine/instances.ts"
import { argument, clean, cleanLines, table } from "./line.ts"
import { counts } from "./live-frame.ts"
import { type RunFacts, taskFacts, taskMillis } from "../../engine/run-facts.ts"
import * as ReportLinks from "./report-links.ts"
import { type TaskResult, number } from "./run-results.ts"
import * as Standing from "../../engine/standing.ts"
import { icon, iconStatus, paint } from "./task-line.ts"
import * as Waits from "./waits.ts"

/** How a summary is written. */
export interface SummaryOptions {
  readonly run: string
  readonly hint: Hint
  /** The run's status where it is not the one that its events amount to, e.g. interrupted. */
  readonly status?: string
  /** What the run waits for. */
  readonly waits?: Standing.Waits
  /** Where the project's artifacts lie. */
  readonly home: string
  readonly colours: boolean
  /** Now, milliseconds since the epoch. */
  readonly now: number
}

const bad: ReadonlyArray<TaskStatus> = ["failed", "timed_out", "lost", "warned", "unknown"]
const attention = ["queued", "warned", "waiting", "running", "interrupted", "answered", "cancelling"]
const mostLines = 12
const mostResults = 40

/** First line of a summary: what became of the run, and how long it took. */
export const headline = (
  facts: RunFacts,
  { colours, now, run, waits, status = runStatus(facts.state) }: SummaryOptions,
): string => {
  const took = duration(facts.durationMillis ?? now - (facts.created ?? now))
  const colour = status === "succeeded" ? Output.green : attention.includes(status) ? Output.yellow : Output.red
  const why = facts.cancel === undefined ? "" : ` (${clean(facts.cancel)})`
  const words: Readonly<Record<string, string>> = {
    timed_out: `timed out after ${took}`,
    waiting: `waits for ${waits === undefined || waits.for === "approval" ? "people" : Waits.text(waits, now)}, after ${took}`,
    warned: `succeeded with warnings in ${took}`,
    succeeded: `succeeded in ${took}`,
    failed: `failed after ${took}`,
    running: `is running, ${took} so far`,
    answered: `has its answer and can go on, after ${took}`,
    interrupted: `was interrupted after ${took}`,
    cancelled: `was cancelled after ${took}${why}`,
    ...(facts.created === undefined ? { queued: "waits to begin" } : {}),
  }
  return `${Output.bold(facts.plan.id, colours)} ${colour(words[status] ?? status, colours)}  run ${run}`
}

/** A row for each task: status, attempts, time, and why. */
export const taskTable = (facts: RunFacts, { colours, now }: SummaryOptions): ReadonlyArray<string> => {
  const rows = facts.plan.tasks.flatMap((task, index) => {
    const standing = Standing.at(facts, index, now)
    const { status, waits } = standing
    if (status === "pending" && CompiledPlan.isInHandler(facts.state.plan, index)) return []
    const seen = taskFacts(facts, task.id)
    const tried = seen.attempts.length
    const time = tried === 0 ? "" : seen.cached === undefined ? duration(taskMillis(seen, now)) : "cached"
    const from = seen.cached === undefined ? "" : `from run ${seen.cached.run}`
    const gate = seen.gate === undefined ? "" : `gate ${seen.gate.verdict}`
    const rest = from || gate || (seen.resolved ?? Instances.told(facts, task.id))
    const told = waits === undefined ? rest : Waits.text(waits, now)
    const why = status === "skipped" ? clean(seen.reason ?? "") : told
    const word = paint(status, status.replace("_", " "), colours)
    return [[icon(iconStatus(standing), 0, colours), task.id, word, tried > 1 ? `${tried} attempts` : "", time, why]]
  })
  return table(rows)
}

const criteriaLines = ({ criteria }: TaskResult, on: boolean): ReadonlyArray<string> => {
  if (criteria.length === 0) return []
  const failing = criteria.filter(({ passed }) => !passed)
  const shown = criteria.length <= mostLines ? criteria : failing.slice(0, mostLines)
  const rows = shown.map((one) => [
    one.passed ? Output.green("✓", on) : one.severity === "warn" ? Output.yellow("!", on) : Output.red("✗", on),
    clean(one.name),
    clean(one.observed),
    clean(one.threshold),
  ])
  return [`${criteria.length - failing.length} of ${criteria.length} checks passed`, ...table(rows, "  ")]
}

const resultLines = (result: TaskResult, { colours, home, run }: SummaryOptions): ReadonlyArray<string> => {
  const { criteria, facts, metrics, model, paths, reasons, reports, verdict, warnings } = result
  const status = verdict === "PASSED" ? "succeeded" : verdict === "WARNED" ? "warned" : "failed"
  const metricRows = metrics.map(({ baseRate, chance, name, value }) => [
    clean(name),
    number(value),
    baseRate === undefined
      ? chance === undefined
        ? ""
        : `chance gives ${number(chance)}`
      : `base rate ${number(baseRate)}`,
  ])
  return [
    ...(verdict === undefined ? [] : [`gate ${paint(status, verdict, colours)}`]),
    ...(criteria.length > 0 ? [] : reasons.map((reason) => `${Output.yellow("!", colours)} ${clean(reason)}`)),
    ...(model === undefined ? [] : [`model ${Output.bold(model.version, colours)} for ${model.slot}`]),
    ...table(metricRows),
    ...criteriaLines(result, colours),
    ...table(
      [...facts, ...paths.map(({ name, path }) => ({ name, value: path }))].map(({ name, value }) => [
        name,
        clean(value),
      ]),
    ),
    ...warnings.map((warning) => `${Output.yellow("!", colours)} ${clean(warning)}`),
    ...table(reports.map((report) => [clean(report.name), ReportLinks.pathOf(home, run, result.task, report)])),
  ]
}

/** What came of the run, task by task; first of all whether it came of data that were generated. */
export const results = (found: ReadonlyArray<TaskResult>, options: SummaryOptions): ReadonlyArray<string> => {
  const made = found.some(({ synthetic }) => synthetic)
  const more = found.length - mostResults
  const label = "SYNTHETIC DATA: these numbers say nothing about real markets"
  return [
    ...(made ? [Output.yellow(label, options.colours)] : []),
    ...found.slice(0, mostResults).flatMap((result) => {
      const lines = resultLines(result, options).map((line) => `  ${line}`)
      return lines.length === 0 ? [] : [Output.bold(result.task, options.colours), ...lines]
    }),
    ...(more > 0
      ? [`… and ${more.toLocaleString("en-US")} more: ${options.hint.either(`runs show ${options.run} --json`)}`]
      : []),
  ]
}

/** A task; of a matrix its instances; of a group that failed by its own none, since those are told. */
const causesOf = (facts: RunFacts, id: string): ReadonlyArray<string> => {
  const { plan } = facts.state
  if (!CompiledPlan.isGroup(plan, plan.indexOf.get(id) ?? -1)) return [id]
  return taskOf(facts.state, id).error === undefined ? Instances.idsOf(facts, id) : [id]
}

/** What an instance is made of, on one line. */
const madeOf = (facts: RunFacts, id: string): ReadonlyArray<string> => {
  const [, matrix, n] = /^(.*)\[(\d+)\]$/.exec(id) ?? []
  const combination = matrix === undefined ? undefined : Instances.combinationsOf(facts, matrix)[Number(n)]
  if (combination === undefined) return []
  const values = Object.entries(combination).map(([name, value]) => `${name}: ${clean(JSON.stringify(value))}`)
  return [`  ${values.join(", ").slice(0, 200)}`]
}

/** What went wrong, where, and what can be done next. */
export const failures = (facts: RunFacts, { colours, hint, run }: SummaryOptions): ReadonlyArray<string> => {
  const found = facts.plan.tasks
    .flatMap(({ id }) => causesOf(facts, id))
    .filter((id) => bad.includes(taskOf(facts.state, id).status))
  const lines = found.slice(0, mostLines).flatMap((id) => {
    const { attempt, error, status } = taskOf(facts.state, id)
    const seen = taskFacts(facts, id)
    const message = cleanLines(error?.message ?? seen.attempts.at(-1)?.reason ?? seen.reason ?? "").split("\n")
    const tag = error === undefined ? "" : ` (${error.tag})`
    const tries = attempt > 1 ? ` after ${attempt} attempts` : ""
    const more = message.length > mostLines ? [`… ${message.length - mostLines} more lines`] : []
    return [
      `${icon(status, 0, colours)} ${Output.bold(id, colours)} ${paint(status, status.replace("_", " "), colours)}${tries}${tag}`,
      ...madeOf(facts, id),
      ...[...message.slice(0, mostLines), ...more].filter((line) => line !== "").map((line) => `  ${line}`),
      ...(status === "unknown"
        ? [
            "  Nobody but you can tell whether it happened. Look, say so, go on:",
            `  ${hint.either(`runs resolve ${run} ${argument(id)}`)} --as failed --reason "…"   or --as succeeded --output FILE`,
            `  ${hint.either(`runs resume ${run}`)}`,
          ]
        : seen.attempts.length === 0
          ? []
          : [`  ${hint.files(`runs logs ${run} ${argument(id)}`)}`]),
    ]
  })
  const left = found.length - mostLines
  return left > 0 ? [...lines, `… and ${left} more tasks: ${hint.either(`runs show ${run}`)}`] : lines
}

/** Tasks that wait for somebody to agree. */
export const waitingFor = ({ state }: RunFacts): ReadonlyArray<string> =>
  [...HashMap.keys(state.approvals)].toSorted((a, b) => a - b).map((index) => state.plan.tasks[index].id)

/** What people are asked, and how they answer. */
const questions = (facts: RunFacts, { hint, run }: SummaryOptions): ReadonlyArray<string> => {
  const waiting = waitingFor(facts)
  if (waiting.length === 0) return []
  return [
    ...waiting.flatMap((id) => {
      const { approval } = taskOf(facts.state, id)
      const have = `${approval?.granted.length ?? 0} of ${approval?.approvers ?? 1} have agreed`
      return [`${id} waits for approval, ${have}:`, `  ${hint.either(`runs approve ${run} ${id}`)}`]
    }),
    `Then go on: ${hint.either(`runs resume ${run}`)}`,
  ]
}

/** Commands that tell more about the run. */
export const further = (
  facts: RunFacts,
  found: ReadonlyArray<TaskResult>,
  { hint, run }: SummaryOptions,
): ReadonlyArray<string> => {
  const all = facts.plan.tasks.flatMap(({ id }) => [id, ...Instances.idsOf(facts, id)])
  const started = all.filter((id) => taskFacts(facts, id).attempts.length > 0)
  const logged = started.find((id) => taskOf(facts.state, id).status === "failed") ?? started[0]
  const version = found.findLast(({ facts }) => facts.some(({ name }) => name === "version"))
  const published = version?.facts.find(({ name }) => name === "version")?.value
  return [
    hint.either(`runs show ${run}`),
    ...(logged === undefined ? [] : [hint.files(`runs logs ${run} ${argument(logged)}`)]),
    ...(published === undefined ? [] : [hint.files(`model show ${published}`)]),
    hint.files("ledger verify"),
  ]
}

/** A titled part of a summary; nothing where it has no lines. */
export const part = (title: string, lines: ReadonlyArray<string>, colours: boolean): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", Output.bold(title, colours), ...lines.map((line) => `  ${line}`)]

/** The whole summary of a run; `table` unless its tasks are on the screen already. */
export const summary = (
  facts: RunFacts,
  found: ReadonlyArray<TaskResult>,
  options: SummaryOptions & { readonly table: boolean; readonly quiet: boolean; readonly incomplete?: Incomplete },
): string => {
  const wrong = failures(facts, options)
  const lacks = incompleteLines(options, options.incomplete).map((line) => Output.red(line, options.colours))
  if (options.quiet) return [headline(facts, options), ...wrong, ...questions(facts, options), ...lacks].join("\n")
  const tasks = !options.table
    ? []
    : facts.plan.tasks.length <= 60
      ? taskTable(facts, options).map((line) => `  ${line}`)
      : [`  ${counts(facts)}`]
  return [
    headline(facts, options),
    ...tasks,
    ...part("Results", results(found, options), options.colours),
    ...part("What went wrong", wrong, options.colours),
    ...part("What is not recorded", lacks, options.colours),
    ...part("Waits for people", questions(facts, options), options.colours),
    ...part("Look further", further(facts, found, options), options.colours),
  ].join("\n")
}

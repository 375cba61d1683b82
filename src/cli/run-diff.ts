import { type TaskChange, settingChanges, taskChanges } from "../compiler/plan-diff.ts"
import { type FieldChange, diff } from "../compiler/value-diff.ts"
import type { Plan } from "../domain/plan.ts"
import type { RecordedRun } from "../engine/recorded-run.ts"
import { type RunFacts, taskFacts, taskMillis } from "../engine/run-facts.ts"
import { taskOf } from "../engine/run-state.ts"

/** A run with all that is compared of it. `large` are outputs that are kept as artifacts, by digest. */
export interface ComparedRun {
  readonly run: RecordedRun
  readonly plan: Plan
  readonly config: unknown
  readonly facts: RunFacts
  readonly large: ReadonlyMap<string, unknown>
  /** Milliseconds since the epoch: for tasks that still run. */
  readonly now: number
}

/** How a task went in one run. */
export interface TaskOutcome {
  readonly status: string
  readonly millis: number
  readonly cached: boolean
  readonly verdict?: string
}

/** A task in both runs, or in the one that has it. */
export interface OutcomePair {
  readonly task: string
  readonly old?: TaskOutcome
  readonly new?: TaskOutcome
  /** What differs between the outputs. */
  readonly output: ReadonlyArray<FieldChange>
}

/** What differs between two runs. */
export interface RunDiff {
  readonly runs: readonly [string, string]
  /** Pipeline, status, environment, code, tick, plan. */
  readonly run: ReadonlyArray<FieldChange>
  readonly settings: ReadonlyArray<FieldChange>
  readonly tasks: ReadonlyArray<TaskChange>
  readonly params: ReadonlyArray<FieldChange>
  readonly environment: ReadonlyArray<FieldChange>
  readonly config: ReadonlyArray<FieldChange>
  readonly outcomes: ReadonlyArray<OutcomePair>
}

const about = ({ data, durationMillis, status, who }: RecordedRun) => ({
  pipeline: data?.pipeline,
  status,
  env: data?.env,
  code: data?.code,
  plan: data?.plan,
  tick: data?.tick,
  who,
  ...(durationMillis === undefined ? {} : { durationMillis }),
})

const outcomeOf = ({ facts, now, plan }: ComparedRun, id: string): TaskOutcome | undefined => {
  if (!plan.tasks.some((task) => task.id === id)) return undefined
  const seen = taskFacts(facts, id)
  const outcome = {
    status: taskOf(facts.state, id).status,
    millis: taskMillis(seen, now),
    cached: seen.cached !== undefined,
  }
  return seen.gate === undefined ? outcome : { ...outcome, verdict: seen.gate.verdict }
}

const outputOf = ({ facts, large }: ComparedRun, id: string): unknown => {
  const { output, outputArtifact } = taskFacts(facts, id)
  return outputArtifact === undefined ? output : large.get(outputArtifact.sha256)
}

/** Compares two runs: what they were started with, and what came of it. */
export const compare = (old: ComparedRun, next: ComparedRun): RunDiff => {
  const ids = new Set([...next.plan.tasks, ...old.plan.tasks].map(({ id }) => id))
  return {
    runs: [old.run.id, next.run.id],
    run: diff(about(old.run), about(next.run)),
    settings: settingChanges(old.plan, next.plan),
    tasks: taskChanges(old.plan, next.plan),
    params: diff(old.run.data?.params ?? {}, next.run.data?.params ?? {}),
    environment: diff(old.run.data?.environment ?? {}, next.run.data?.environment ?? {}),
    config: diff(old.config, next.config),
    outcomes: [...ids].map((task) => {
      const [was, is] = [outcomeOf(old, task), outcomeOf(next, task)]
      return {
        task,
        ...(was === undefined ? {} : { old: was }),
        ...(is === undefined ? {} : { new: is }),
        output: diff(outputOf(old, task), outputOf(next, task)),
      }
    }),
  }
}

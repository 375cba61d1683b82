import { type Plan, type PlanTask, digest } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { type StaleCache, staleCaches } from "./plan-diff-caches.ts"
import { type Weakening, weakenings } from "./plan-diff-safeguards.ts"
import { type PlanSide, tasksById } from "./plan-side.ts"
import { type FieldChange, diff, same } from "./value-diff.ts"

/** A task that came, went or is another. */
export interface TaskChange {
  readonly id: string
  readonly type: string
  readonly change: "added" | "removed" | "changed"
  /** What is another; of a task that came or went all that it says. */
  readonly fields: ReadonlyArray<FieldChange>
}

/** What differs between two sides of a pipeline. `from` is left out where there was none. */
export interface PlanDiff {
  readonly pipeline: string
  readonly from?: Sha256
  readonly to: Sha256
  readonly settings: ReadonlyArray<FieldChange>
  readonly tasks: ReadonlyArray<TaskChange>
  /** Of the configuration that the task types read, and of retention. */
  readonly config: ReadonlyArray<FieldChange>
  /** Of the files that tasks name. */
  readonly files: ReadonlyArray<FieldChange>
  readonly stale: ReadonlyArray<StaleCache>
  readonly weaker: ReadonlyArray<Weakening>
}

/** What a task says, without its name. */
const saying = (task: PlanTask) => {
  const { id: _id, ...said } = task
  return said
}

/** What a task that says nothing says: its input is shown key by key. */
const silent = { needs: [], with: {} }

/** The settings of a pipeline: whatever its plan says besides its tasks. */
const settingsOf = (plan: Plan) => {
  const { format: _format, tasks: _tasks, ...settings } = plan
  return settings
}

/** A task that came or went. All that it says is put together when it is asked for: a new pipeline may be large. */
const whole = (change: "added" | "removed", task: PlanTask): TaskChange => ({
  id: task.id,
  type: task.type,
  change,
  get fields() {
    return change === "added" ? diff(silent, saying(task)) : diff(saying(task), silent)
  },
})

/** Tasks that came, went or are another, in the order of the newer plan, those that went last. */
export const taskChanges = (old: Plan, next: Plan): ReadonlyArray<TaskChange> => {
  const before = tasksById(old)
  const found: Array<TaskChange> = []
  for (const task of next.tasks) {
    const was = before.get(task.id)
    if (was === undefined) found.push(whole("added", task))
    else if (!same(was, task)) {
      const fields = diff(saying(was), saying(task))
      if (fields.length > 0) found.push({ id: task.id, type: task.type, change: "changed", fields })
    }
  }
  for (const task of old.tasks) if (!tasksById(next).has(task.id)) found.push(whole("removed", task))
  return found
}

/** Settings of the pipeline that differ. */
export const settingChanges = (old: Plan, next: Plan): ReadonlyArray<FieldChange> =>
  diff(settingsOf(old), settingsOf(next))

/** The sections that matter to a comparison: those that a task type of either side reads, and how long things are kept. */
export const sectionsOf = (...sides: ReadonlyArray<PlanSide>): ReadonlyArray<string> =>
  [
    ...new Set([
      "retention",
      ...sides.flatMap(({ plan, reads }) => plan.tasks.flatMap(({ type }) => reads.get(type) ?? [])),
    ]),
  ].toSorted()

const configChanges = (old: PlanSide, next: PlanSide): ReadonlyArray<FieldChange> =>
  sectionsOf(old, next).flatMap((section) => diff(old.config[section], next.config[section], section))

const fileChanges = (old: PlanSide, next: PlanSide): ReadonlyArray<FieldChange> => {
  const named = new Set([...next.names.values()].flat())
  return [...old.files]
    .filter(([path]) => named.has(path))
    .flatMap(([path, value]) =>
      diff(value, next.files.get(path)).map((change) => ({
        ...change,
        path: change.path === "" ? path : `${path}: ${change.path}`,
      })),
    )
}

/** Task types that became gates, or are none any more, without another version: the plan does not say it. */
const gateChanges = (old: PlanSide, next: PlanSide): ReadonlyArray<FieldChange> => {
  const before = tasksById(old.plan)
  return next.plan.tasks
    .filter(({ id, type }) => before.get(id)?.type === type && old.gates.has(id) !== next.gates.has(id))
    .map(({ id }) => ({ path: `tasks.${id} is a gate`, old: old.gates.has(id), new: next.gates.has(id) }))
}

/** Compares a pipeline with what it was; without an old side everything is new and nothing is weaker. */
export const compare = (old: PlanSide | undefined, next: PlanSide): PlanDiff => {
  const to = digest(next.plan)
  const pipeline = next.plan.id
  if (old === undefined) {
    const tasks = taskChanges({ ...next.plan, tasks: [] }, next.plan)
    return { pipeline, to, settings: [], tasks, config: [], files: [], stale: [], weaker: [] }
  }
  const config = configChanges(old, next)
  const files = fileChanges(old, next)
  const from = digest(old.plan)
  const gates = gateChanges(old, next)
  const equal = from === to
  if (equal && config.length + files.length + gates.length === 0) {
    return { pipeline, from, to, settings: [], tasks: [], config, files, stale: [], weaker: [] }
  }
  return {
    pipeline,
    from,
    to,
    settings: equal ? gates : [...settingChanges(old.plan, next.plan), ...gates],
    tasks: equal ? [] : taskChanges(old.plan, next.plan),
    config,
    files,
    stale: staleCaches(old, next),
    weaker: weakenings(old, next),
  }
}

/** True when the sides are not the same. */
export const isChange = ({ config, files, from, settings, tasks, weaker }: PlanDiff): boolean =>
  from === undefined || settings.length + tasks.length + config.length + files.length + weaker.length > 0

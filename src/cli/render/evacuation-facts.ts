import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Collected } from "../../domain/collected.ts"
import type { Plan } from "../../domain/plan.ts"
import * as Outcome from "../../domain/evacuation-outcome.ts"
import { taskOf } from "../../engine/run-state.ts"
import { isNamed } from "../../services/evacuation/destination/named-destination.ts"
import * as RunFacts from "../../engine/run-facts.ts"

/** What is read of `bundles/progress.json`: how far the push is, and what it takes now. Times in milliseconds since the epoch. */
const Progress = Schema.Struct({
  location: Schema.String,
  objects: Schema.Struct({ done: Schema.Int, total: Schema.Int }),
  bytes: Schema.Struct({ done: Schema.Finite, total: Schema.Finite }),
  notTaken: Schema.Int,
  now: Schema.Array(Schema.String),
  at: Schema.Int,
})
export type Progress = typeof Progress.Type

/** What an incident's folder says while its evacuation runs. */
export interface Seen {
  readonly progress: Progress | undefined
  /** How each collector ended, by its name. */
  readonly collected: ReadonlyArray<Collected>
}

/** An evacuation as it is watched: its run, which another one may follow, and what its incident's folder says. */
export interface EvacuationFacts {
  run: RunFacts.RunFacts
  readonly project: string
  /** When it has to be over, milliseconds since the epoch. */
  readonly deadline: number | undefined
  /** The destination that the user named. */
  readonly named: string | undefined
  readonly drill: boolean
  seen: Seen
  /** When, and how many bytes were confirmed then, over the last seconds. */
  readonly samples: Array<{ readonly at: number; readonly bytes: number }>
}

const nothing: Seen = { progress: undefined, collected: [] }
const decodeProgress = Schema.decodeUnknownOption(Schema.fromJsonString(Progress))
const decodeCollected = Schema.decodeUnknownOption(Schema.fromJsonString(Collected))

/** An evacuation before its first event. */
export const make = (
  plan: Plan,
  given: Pick<EvacuationFacts, "deadline" | "drill" | "named" | "project">,
): EvacuationFacts => ({ ...given, run: RunFacts.make(plan), seen: nothing, samples: [] })

/** Most bytes of a list that are looked at while it is shown. */
const mostBytes = 4 * 1024 * 1024
/** Over how long a rate is taken, milliseconds. */
const rateMillis = 10_000

const textOf = (path: string): string => {
  try {
    return statSync(path).size > mostBytes ? "" : readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** The task of the plan that does a step, if there is one. */
export const taskOfStep = ({ run }: EvacuationFacts, step: string): string | undefined =>
  run.plan.tasks.find(({ type }) => type === `evacuate/${step}`)?.id

const outputOf = (facts: EvacuationFacts, step: string): unknown => {
  const id = taskOfStep(facts, step)
  return id === undefined ? undefined : RunFacts.taskFacts(facts.run, id).output
}

const isOpened = Schema.is(Schema.Struct({ incident: Schema.String, folder: Schema.String, drill: Schema.Boolean }))

/** The incident and its folder, once it is opened. */
export const opened = (
  facts: EvacuationFacts,
): { readonly incident: string; readonly folder: string; readonly drill: boolean } | undefined => {
  const output = outputOf(facts, "open")
  return isOpened(output) ? output : undefined
}

/** Looks into the incident's folder; what cannot be read says nothing. */
export const look = (facts: EvacuationFacts): void => {
  const place = opened(facts)
  if (place === undefined) return
  const progress = Option.getOrUndefined(decodeProgress(textOf(join(place.folder, "bundles", "progress.json"))))
  const lines = textOf(join(place.folder, "collected.ndjson"))
    .split("\n")
    .flatMap((line) => Option.toArray(decodeCollected(line)))
  facts.seen = { progress, collected: [...new Map(lines.map((line) => [line.collector, line])).values()] }
  if (progress === undefined || facts.samples.at(-1)?.at === progress.at) return
  facts.samples.push({ at: progress.at, bytes: progress.bytes.done })
  while (facts.samples.length > 2 && progress.at - facts.samples[0].at > rateMillis) facts.samples.shift()
}

/** Bytes a second over the last seconds; undefined before there is anything to compare. */
export const rate = ({ samples }: EvacuationFacts): number | undefined => {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined || last.at <= first.at || last.bytes < first.bytes) return undefined
  return ((last.bytes - first.bytes) / (last.at - first.at)) * 1_000
}

const bad = new Set(["warned", "failed", "timed_out", "lost", "cancelled", "unknown"])

/** Tasks that failed, and why; one whose failure does not end the run too. */
const failedTasks = ({ run }: EvacuationFacts): ReadonlyArray<{ readonly step: string; readonly message: string }> =>
  run.plan.tasks.flatMap(({ id }) => {
    const { error, status } = taskOf(run.state, id)
    if (!bad.has(status)) return []
    const { attempts, reason } = RunFacts.taskFacts(run, id)
    return [{ step: id, message: error?.message ?? reason ?? (attempts.at(-1)?.result ?? status).replace("_", " ") }]
  })

/** How the evacuation ended, by what its tasks answered. */
export const outcomeOf = (facts: EvacuationFacts): Outcome.EvacuationOutcome => {
  const place = opened(facts)
  const push = outputOf(facts, "push")
  return Outcome.ofAnswers(
    {
      incident: place?.incident ?? "",
      folder: place?.folder ?? "",
      drill: place?.drill ?? facts.drill,
      named: isNamed(facts.project, facts.named, push),
      failed: failedTasks(facts),
    },
    Object.fromEntries(Outcome.steps.map((step) => [step, outputOf(facts, step)])),
  )
}

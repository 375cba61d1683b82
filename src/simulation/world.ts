import type { ErrorData } from "../domain/event.ts"
import * as Matrices from "../domain/matrix.ts"
import type { PlanTask } from "../domain/plan.ts"
import * as Sha256 from "../domain/sha256.ts"
import type { Prepared } from "../engine/prepared.ts"
import type { Chance } from "./chance.ts"
import type { Faults } from "./faults.ts"
import { type Probed, isRepeatable } from "./rules.ts"

/** What is known of a task's type besides what the plan says. */
export interface Traits {
  readonly probe: boolean
  readonly gate: boolean
}

/** What an attempt will do. Times are milliseconds after its beginning; `effectAt` is when it changes the world, if it does. */
export interface Script {
  readonly millis: number
  readonly effectAt: number | undefined
  readonly ending: "output" | "hang" | ErrorData
}

/**
 * The world around one run: what its tasks do, what people and other systems would say, and the truth of what has
 * happened. What an expression or a task would give is drawn once and then stays.
 */
export interface World {
  readonly traits: (task: PlanTask) => Traits
  readonly script: (task: PlanTask) => Script
  readonly condition: (task: PlanTask) => boolean
  readonly inputFits: (task: PlanTask) => boolean
  readonly instances: (task: PlanTask) => {
    readonly count: number
    readonly values?: Record<string, ReadonlyArray<unknown>>
  }
  /** How long a pause is from now; undefined where the plan says the moment itself. */
  readonly pause: (task: PlanTask) => number | undefined
  readonly verdict: (task: PlanTask) => "PASSED" | "FAILED"
  /** Digest of the bytes that a gate judges. */
  readonly bytes: (task: PlanTask) => Sha256.Sha256
  /** Digest of a task's input. */
  readonly input: (task: PlanTask) => Sha256.Sha256
  readonly happen: (task: PlanTask) => void
  readonly probe: (task: PlanTask) => Probed
  readonly happened: (id: string) => boolean
}

const durations = {
  pure: [5, 5_000],
  idempotent: [20, 20_000],
  once: [50, 60_000],
  irreversible: [50, 60_000],
} as const

const errors: ReadonlyArray<ErrorData> = [
  { tag: "Busy", message: "refused before anything changed", transient: true, notApplied: true },
  { tag: "Alpha", message: "no answer", transient: true },
  { tag: "Beta", message: "a defect" },
  { tag: "Beta", message: "a bad end", settled: true },
]

export const make = (run: string, chance: Chance, faults: Faults, prepared: Prepared | undefined): World => {
  const done = new Set<string>()
  const memory = new Map<string, Map<string, unknown>>()
  const once = <A>(what: string, { id }: Pick<PlanTask, "id">, make: () => A): A => {
    let known = memory.get(what)
    if (known === undefined) memory.set(what, (known = new Map()))
    if (!known.has(id)) known.set(id, make())
    return known.get(id) as A
  }
  /** Instances of a matrix are alike. */
  const template = (task: PlanTask) => (task.id.endsWith("]") ? { id: task.id.replace(/\[\d+\]$/, "") } : task)
  const traits = (task: PlanTask): Traits =>
    once("traits", template(task), () => {
      const type = prepared?.types.get(task.type)?.type
      return type === undefined
        ? { probe: chance.hits(0.5), gate: chance.hits(0.25) }
        : { probe: type.probe !== undefined, gate: type.gate !== undefined }
    })
  return {
    traits,
    script: (task) => {
      const [least, most] = durations[task.effects]
      const limit = task.timeout === undefined ? most : Math.max(1, Math.floor(task.timeout * 0.9))
      const millis = Math.min(limit, chance.millis(least, most))
      const within = Math.floor(chance.fraction() * millis)
      const maybe = chance.hits(0.5) ? within : undefined
      if (chance.hits(faults["task-hangs"])) return { millis: 0, effectAt: maybe, ending: "hang" }
      if (!chance.hits(faults["task-fails"])) return { millis, effectAt: within, ending: "output" }
      const ending = chance.among(errors)
      const tag = chance.hits(0.5) ? (task.retry?.on?.[0] ?? ending.tag) : ending.tag
      return { millis, effectAt: ending.notApplied ? undefined : maybe, ending: { ...ending, tag } }
    },
    condition: (task) => once("if", task, () => chance.hits(0.75)),
    inputFits: (task) => once("input", task, () => !chance.hits(faults["task-fails"] / 5)),
    instances: (task) =>
      once("instances", task, () => {
        const { matrix } = task
        if (matrix === undefined) return { count: 0 }
        const open = Object.keys(Matrices.openValues(matrix))
        const values = Object.fromEntries(
          open.map((axis) => [axis, Array.from({ length: chance.draw(5) }, (_, n) => n)]),
        )
        const count = Matrices.combinations(matrix, Matrices.filledValues(matrix, values)).length
        return open.length === 0 ? { count } : { count, values }
      }),
    pause: (task) => {
      const moment = Date.parse(task.pauseUntil?.until ?? "")
      return Number.isNaN(moment) ? once("pause", task, () => chance.millis(1, 3_600_000)) : undefined
    },
    verdict: (task) => once("verdict", task, () => (chance.hits(faults["gate-fails"]) ? "FAILED" : "PASSED")),
    bytes: (task) => once("bytes", task, () => Sha256.of(`${run} ${task.id}`)),
    input: (task) => once("digest", task, () => Sha256.of(`${run} input of ${task.id}`)),
    happen: ({ id }) => void done.add(id),
    happened: (id) => done.has(id),
    probe: (task) => {
      if (isRepeatable(task) || !traits(task).probe) return "nobody knows"
      if (chance.hits(faults["probe-fails"])) return "nobody knows"
      return done.has(task.id) ? "happened" : "nothing happened"
    },
  }
}

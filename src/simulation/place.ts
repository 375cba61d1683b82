import type { Capacity, EventData } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import type { CompiledPlan } from "../engine/compiled-plan.ts"
import type { RunState } from "../engine/run-state.ts"
import type { Author } from "../ledger/sealing.ts"
import type { Chance } from "./chance.ts"
import type { Disk } from "./disk.ts"
import type { Faults } from "./faults.ts"
import type { Rules } from "./rules.ts"
import type { Timeline } from "./timeline.ts"
import type { Notes } from "./trace.ts"
import type { World } from "./world.ts"

/** What all runs of a simulation share. */
export interface Setting {
  readonly timeline: Timeline
  readonly chance: Chance
  readonly faults: Faults
  readonly notes: Notes
  readonly rules: Rules
  /** Whether entries are sealed: chained by their hashes. */
  readonly sealed: boolean
  readonly capacity: Capacity
  /** Longest time from an append to its flush when nobody waits for it, milliseconds. */
  readonly flushInterval: number
  readonly compiled: (plan: Plan) => CompiledPlan
  readonly digestOf: (plan: Plan) => EventData<"dev.dandori.run.created.v1">["plan"]
}

/** A run, whichever process holds it: its ledger, its world, and what it was made with. */
export interface Place extends Setting {
  readonly run: string
  /** The plan as it was stored when the run was made, and what the pipeline is by now. */
  readonly plan: Plan
  readonly current: Plan
  readonly created: EventData<"dev.dandori.run.created.v1">
  readonly createdAt: number
  readonly disk: Disk
  readonly world: World
  /** Whether a task's `if` holds: by what the run knows, and by chance where that is not enough. */
  readonly condition: (state: RunState, index: number) => boolean
  /** Whether a process stays while only people are awaited. */
  readonly stays: boolean
  /** Whether the process dies now. */
  readonly dies: () => boolean
}

export const author: Author = { source: "dandori://simulation", authid: "simulation", authtype: "system" }

/** A UUIDv7 (RFC 9562, section 5.7) from a time and a count; `series` tells runs and entries apart. */
export const uuid = (time: number, count: number, series: "8" | "9"): string => {
  const millis = Math.max(0, time).toString(16).padStart(12, "0")
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7000-${series}000-${count.toString(16).padStart(12, "0")}`
}

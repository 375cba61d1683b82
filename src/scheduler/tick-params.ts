import type { JsonSchema } from "../domain/json-schema.ts"
import type { Plan } from "../domain/plan.ts"
import type { Schedule } from "../domain/schedule.ts"
import * as Tick from "../domain/tick.ts"
import * as TriggerParams from "../domain/trigger-params.ts"

/** The params of a plan at a nominal time: the schedule's values, the others by default. */
export const at = (plan: Plan, schedule: Schedule, time: number): TriggerParams.TriggerParams =>
  TriggerParams.all(
    plan.params as Readonly<Record<string, JsonSchema>>,
    schedule.params,
    Tick.factsFor(Tick.factsOf(schedule.timezone, time)),
  )

import type { JsonSchema } from "../domain/json-schema.ts"
import type { Plan } from "../domain/plan.ts"
import type { Schedule } from "../domain/schedule.ts"
import * as Tick from "../domain/tick.ts"

/** The params that a tick's run gets, and what is wrong with them, if anything is. */
export interface TickParams {
  readonly values: Readonly<Record<string, unknown>>
  readonly faults: ReadonlyArray<string>
}

/** The params of a plan at a nominal time: the schedule's values, the others by default. */
export const at = (plan: Plan, schedule: Schedule, time: number): TickParams => {
  const facts = Tick.factsOf(schedule.timezone, time)
  const values: Record<string, unknown> = {}
  const faults: Array<string> = []
  for (const [name, schema] of Object.entries(plan.params as Readonly<Record<string, JsonSchema>>)) {
    if (!Object.hasOwn(schedule.params, name)) {
      values[name] = schema.default
      continue
    }
    const found = Tick.valueAt(schedule.params[name], schema, facts)
    values[name] = found.value
    faults.push(...found.faults.map((fault) => `${name}: ${fault}`))
  }
  return { values, faults }
}

import type { Scope } from "./expression/cel.ts"
import type { JsonSchema } from "./json-schema.ts"
import { timeText } from "./occurrence.ts"
import * as TimeZone from "./time-zone.ts"
import type { Facts } from "./trigger-params.ts"

/** `run.tick` in expressions: the nominal time (RFC 3339, UTC), and its date and month on the clocks of the schedule's zone. */
export interface TickFacts {
  readonly time: string
  readonly date: string
  readonly month: string
}

/** What `run.tick` is at a nominal time. */
export const factsOf = (zone: string, at: number): TickFacts => {
  const date = new Date(at + TimeZone.offsetAt(zone, at)).toISOString().slice(0, 10)
  return { time: timeText(at), date, month: date.slice(0, 7) }
}

const record = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
})

/** What expressions in the params of a schedule may name. */
export const scope: Scope = {
  run: record({ tick: record({ time: { type: "string" }, date: { type: "string" }, month: { type: "string" } }) }),
}

/** What expressions in the params of a schedule give at a tick. */
export const factsFor = (tick: TickFacts): Facts => ({ scope, values: { run: { tick } } })

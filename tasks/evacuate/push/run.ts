import * as Effect from "effect/Effect"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import { push } from "../../../src/services/evacuation/push/push.ts"
import type { OpenReading } from "../../../src/services/evacuation/sources/reading.ts"
import type { Input } from "./schema.ts"

/** The output names so many refusals, each in so many characters. */
const mostRefusals = 20
const mostText = 500

/** Pushes what was collected for an incident; sources are read by `open`. */
export const run = Effect.fnUntraced(function* ({ incident }: typeof Input.Type, open: OpenReading) {
  const folder = yield* (yield* Incidents).find(incident)
  const pushed = yield* Effect.scoped(push({ folder, open }))
  const refusals = pushed.refusals
    .slice(0, mostRefusals)
    .map((refusal) => ({ ...refusal, reason: refusal.reason.slice(0, mostText) }))
  return { ...pushed, refusals }
})

import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../../src/authoring/task-type.ts"
import { IncidentId } from "../../../src/domain/incident.ts"
import * as Cordons from "../../../src/services/cordons.ts"
import { Incidents } from "../../../src/services/evacuation/incidents.ts"

/** The incident whose cordon is raised. */
export const Input = Schema.Struct({ incident: IncidentId }).annotate({ identifier: "EvacuateCordonInput" })

/** Whether new work is kept from starting now; a drill keeps nothing. `problem` says why it is not. */
export const Output = Schema.Struct({
  raised: Schema.Boolean,
  epoch: Schema.optionalKey(Schema.Int),
  problem: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "EvacuateCordon" })

/** Raises the incident's cordon in the project: nothing new starts, and nothing that runs is disturbed. */
export default taskType({
  type: "evacuate/cordon",
  version: 1,
  description: "Raises the incident's cordon: nothing new starts until it is lifted",
  input: Input,
  output: Output,
  errors: { IncidentMissing: "there is no such incident here" },
  effects: "idempotent",
  run: Effect.fn("evacuate/cordon")(function* ({ incident: id }: typeof Input.Type) {
    const { find, projectHome } = yield* Incidents
    const { incident } = yield* find(id)
    if (incident.drill) return { raised: false }
    const raise = Effect.gen(function* () {
      const cordons = yield* Cordons.Cordons
      const there = (yield* cordons.list).find((cordon) => cordon.id === id)
      if (there !== undefined) return { raised: true, epoch: there.epoch }
      const { epoch } = yield* cordons.raise({ id, owner: incident.owner, reason: incident.reason })
      return { raised: true, epoch }
    })
    return yield* raise.pipe(
      Effect.provide(Cordons.layer(join(projectHome, "cordons"))),
      Effect.catch((error) => Effect.succeed({ raised: false, problem: error.message })),
    )
  }),
})

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../../src/authoring/task-type.ts"
import { IncidentId } from "../../../src/domain/incident.ts"
import * as CordonsConfigured from "../../../src/services/cordons-configured.ts"
import { Cordons } from "../../../src/services/cordons.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import { Settings } from "../../../src/services/settings.ts"

/** The incident whose cordon is raised. */
export const Input = Schema.Struct({ incident: IncidentId }).annotate({ identifier: "EvacuateCordonInput" })

/**
 * Whether new work is kept from starting now; a drill keeps nothing. `problem` says why it is not, or where it is not: on
 * other machines, when their database does not answer.
 */
export const Output = Schema.Struct({
  raised: Schema.Boolean,
  epoch: Schema.optionalKey(Schema.Int),
  problem: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "EvacuateCordon" })

/** How long the database may take; giving up what is on its way takes the rest of five seconds. */
const databaseMillis = 4_000

/**
 * Raises the incident's cordon in the project, and where its database answers for all machines that use it: nothing new
 * starts, and nothing that runs is disturbed.
 */
export default taskType({
  type: "evacuate/cordon",
  version: 1,
  description: "Raises the incident's cordon: nothing new starts until it is lifted",
  input: Input,
  output: Output,
  errors: { IncidentMissing: "there is no such incident here" },
  effects: "idempotent",
  config: ["database", "ledger"],
  run: Effect.fn("evacuate/cordon")(function* ({ incident: id }: typeof Input.Type) {
    const { find, projectHome } = yield* Incidents
    const { incident } = yield* find(id)
    if (incident.drill) return { raised: false }
    const section = CordonsConfigured.sharedIn((yield* Settings).sections)
    const raise = Effect.flatMap(Cordons, (cordons) =>
      cordons.raise({ id, owner: incident.owner, reason: incident.reason }),
    )
    const stands = (epoch: number, problem: string | undefined): typeof Output.Type => ({
      raised: true,
      ...(epoch === 0 ? {} : { epoch }),
      ...(problem === undefined ? {} : { problem }),
    })
    return yield* raise.pipe(
      Effect.provide(CordonsConfigured.layer(projectHome, section, databaseMillis)),
      Effect.map(({ degraded, epoch }) => stands(epoch, degraded)),
      Effect.catchTag("CordonTaken", ({ epoch, unseen }) => Effect.succeed(stands(epoch, unseen))),
      Effect.catch((error) => Effect.succeed<typeof Output.Type>({ raised: false, problem: error.message })),
    )
  }),
})

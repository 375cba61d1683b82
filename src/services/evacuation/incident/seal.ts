import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Destination } from "../destination/destination.ts"
import { type IncidentFolder, readDocument, writeDocument } from "./incidents.ts"

const fileName = "sealed.json"

/** `sealed.json`: an evacuation whose bundles are complete and were verified at a destination. */
const Seal = Schema.Struct({
  format: Schema.Literal("dandori-seal/1"),
  rung: Schema.String,
  location: Schema.String,
})

/**
 * Says that an evacuation is complete: from here on its bundles are what they are, whatever becomes of the sources. Where
 * it cannot be written a later call looks at the sources again.
 */
export const set = ({ path }: IncidentFolder, { location, name }: Destination) =>
  Effect.ignore(writeDocument(path, fileName, { format: "dandori-seal/1", rung: name, location }))

/** Whether an evacuation is complete, at any destination, or at this one. */
export const isSet = ({ path }: IncidentFolder, at?: Destination): Effect.Effect<boolean> =>
  Effect.map(
    readDocument(path, fileName, Seal),
    Option.exists(({ location, rung }) => at === undefined || (rung === at.name && location === at.location)),
  )

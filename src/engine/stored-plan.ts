import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Plan } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { Artifacts } from "../services/artifacts.ts"

/** The bytes that are kept under a plan's digest are no plan of this version. */
export class PlanUnreadable extends Schema.TaggedError<PlanUnreadable>()("PlanUnreadable", { reason: Schema.String }) {
  override get message() {
    return `its plan cannot be read: ${this.reason}`
  }
}

const PlanText = Schema.fromJsonString(Plan)

/** Reads a plan that was stored as an artifact, by its digest. */
export const read = Effect.fn("StoredPlan.read")(function* (digest: Sha256) {
  const bytes = yield* (yield* Artifacts).get(digest)
  return yield* Schema.decodeEffect(PlanText)(new TextDecoder().decode(bytes)).pipe(
    Effect.mapError(({ message }) => new PlanUnreadable({ reason: message })),
  )
})

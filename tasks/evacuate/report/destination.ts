import * as Effect from "effect/Effect"
import type { IncidentFolder } from "../../../src/services/evacuation/incidents.ts"

/** A file of the record on its way to the destination. */
export interface RecordFile {
  readonly key: string
  readonly bytes: string
}

/** Where the record went, and what kept it from going there. */
export interface Sent {
  readonly location?: string
  readonly problems: ReadonlyArray<string>
}

/** Sends the record to the destination that the push has chosen; a record that cannot be sent is no failure of its task. */
export const send = (_folder: IncidentFolder, _files: ReadonlyArray<RecordFile>): Effect.Effect<Sent> =>
  Effect.succeed({ problems: ["the record was not sent: no destination is known"] })

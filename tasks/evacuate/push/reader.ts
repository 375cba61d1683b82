import * as Effect from "effect/Effect"
import { type OpenReading, SourceFailed } from "../../../src/services/evacuation/reading.ts"

// Instead: export { openReading } from "../../../src/services/evacuation/source-reading.ts"
export const openReading: OpenReading = ({ source }) =>
  Effect.fail(new SourceFailed({ source, reason: "there is no reader of sources yet" }))

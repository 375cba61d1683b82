import * as Effect from "effect/Effect"
import * as KnownSecrets from "../../../src/services/evacuation/redaction/known-secrets.ts"
import * as Redaction from "../../../src/services/evacuation/redaction/redaction.ts"
import { reading } from "../../../src/services/evacuation/sources/source-reading.ts"
import { Settings } from "../../../src/services/settings.ts"

/** Reads the sources of this project; what is redacted goes by its rules, and by the secrets that its settings name. */
export const openReading = Effect.gen(function* () {
  const { evacuation } = (yield* Settings).sections
  const known = yield* KnownSecrets.read
  return reading({ redactorFor: () => Redaction.make(evacuation.redact, known), section: evacuation })
})

import * as Effect from "effect/Effect"
import type { Artifact } from "../domain/artifact.ts"
import { type ArtifactError, Artifacts } from "../services/artifacts.ts"
import type { Secrets } from "../services/secrets.ts"

/** A value of more characters than this is an artifact reference in the ledger. */
export const largestValue = 256 * 1024

/** Secrets out of a value that goes into the ledger. */
export const redacted = (secrets: Secrets["Service"], value: unknown) => {
  const text = JSON.stringify(value)
  const plain: unknown = JSON.parse(text)
  const safe = secrets.redactValue(plain)
  return { value: safe, text: safe === plain ? text : JSON.stringify(safe) }
}

const storeLarge = Effect.fnUntraced(function* (value: unknown, text: string, large: Map<string, unknown>) {
  const artifacts = yield* Artifacts
  const outputArtifact = yield* artifacts.put("output.json", "application/json", text)
  large.set(outputArtifact.sha256, value)
  return { outputArtifact }
})

/** A value and its text, secrets taken out of both: in the event, or as an artifact where it is large. */
export const storeOutput = (
  { value, text }: { readonly value: unknown; readonly text: string },
  large: Map<string, unknown>,
): Effect.Effect<{ readonly output: unknown } | { readonly outputArtifact: Artifact }, ArtifactError, Artifacts> =>
  text.length <= largestValue ? Effect.succeed({ output: value }) : storeLarge(value, text, large)

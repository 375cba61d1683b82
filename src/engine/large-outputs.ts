import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { Artifacts } from "../services/artifacts.ts"
import * as IntMap from "./int-map.ts"
import type { RunState } from "./run-state.ts"

/** Loads outputs and values of matrices that were too large for their events, by the artifact's digest. */
export const loadLarge = Effect.fnUntraced(function* (state: RunState) {
  const artifacts = yield* Artifacts
  const large = new Map<string, unknown>()
  const kept = [
    ...IntMap.entries(state.tasks).map(([, { outputArtifact }]) => outputArtifact),
    ...[...HashMap.values(state.matrices)].map(({ valuesArtifact }) => valuesArtifact),
  ]
  for (const artifact of kept) {
    if (artifact === undefined) continue
    const bytes = yield* artifacts.get(artifact.sha256)
    large.set(artifact.sha256, JSON.parse(new TextDecoder().decode(bytes)))
  }
  return large
})

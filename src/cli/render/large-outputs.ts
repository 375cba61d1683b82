import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import type { RunFacts } from "../../engine/run-facts.ts"
import { artifactPath } from "./report-links.ts"

/** Outputs that were too large for their events, by digest. What cannot be read is left out. */
export const loadLarge = Effect.fnUntraced(function* (home: string, facts: RunFacts) {
  const loaded = new Map<string, unknown>()
  for (const { outputArtifact } of facts.tasks.values()) {
    if (outputArtifact === undefined) continue
    const path = artifactPath(home, outputArtifact.sha256)
    const output = yield* Effect.tryPromise(() =>
      readFile(path, "utf8").then((text) => JSON.parse(text) as unknown),
    ).pipe(Effect.orElseSucceed(() => undefined))
    if (output !== undefined) loaded.set(outputArtifact.sha256, output)
  }
  return loaded
})

import { assert, describe, it } from "@effect/vitest"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Provenance from "../../src/market/model-provenance.ts"
import * as Schemas from "../fixtures/schemas/in-toto.ts"
import { problems } from "../support/conforms.ts"

const facts: Provenance.Facts = {
  files: [{ name: "model_ai1.json", sha256: Sha256.of("model") }],
  input: { trainer: { type: "builtin" }, seed: 7 },
  seed: 7,
  threads: 1,
  env: "dev",
  synthetic: true,
  created: Date.UTC(2025, 0, 2, 3, 4),
  timeframe: "1h",
  partitions: [{ symbol: "EURUSD", month: "2025-01", sha256: Sha256.of("bars") }],
  code: Sha256.of("code"),
  config: { training: Sha256.of("training") },
  environment: { bun: "1.4.5" },
  run: "01990000-0000-7000-8000-000000000001",
  task: "train",
  startedOn: Date.UTC(2025, 0, 2, 3, 4, 5),
  finishedOn: Date.UTC(2025, 0, 2, 3, 4, 6, 789),
}

describe("the provenance of a model", () => {
  it("is an in-toto Statement v1 with SLSA provenance v1", () => {
    assert.deepStrictEqual(problems(Schemas.provenance, Provenance.make(facts)), [])
  })

  it("no longer conforms when its types are no URIs, or a dependency cannot be identified", () => {
    const made = Provenance.make(facts)
    const { buildDefinition, runDetails } = made.predicate
    const having = (predicate: object) => problems(Schemas.provenance, { ...made, predicate })
    const wrong = [
      having({ runDetails, buildDefinition: { ...buildDefinition, buildType: "train" } }),
      having({ runDetails, buildDefinition: { ...buildDefinition, externalParameters: "none" } }),
      having({ runDetails, buildDefinition: { ...buildDefinition, resolvedDependencies: [{ name: "code" }] } }),
      having({ runDetails: { ...runDetails, builder: { id: "trainer" } }, buildDefinition }),
      having({ runDetails: { ...runDetails, metadata: { startedOn: "yesterday" } }, buildDefinition }),
    ]
    assert.deepStrictEqual(
      wrong.filter((found) => found.length === 0),
      [],
    )
  })
})

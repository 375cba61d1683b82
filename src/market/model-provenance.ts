/**
 * `provenance.json`: an in-toto Statement v1 (https://in-toto.io/Statement/v1) with SLSA provenance v1
 * (https://slsa.dev/spec/v1.0/provenance). It is the only file of a model with times and run ids.
 */
import * as Schema from "effect/Schema"
import type { Json } from "../domain/canonical-json.ts"
import { Sha256 } from "../domain/sha256.ts"

const Digest = Schema.Struct({ sha256: Sha256 })
const Resource = Schema.Struct({ name: Schema.String, digest: Digest })

/**
 * The statement. `subject`: the model's other files. `resolvedDependencies`: `dataset/<symbol>/<timeframe>/<month>` for
 * each partition, `code`, and `config/<section>` for each section that was read. `synthetic`: whether the bars were
 * generated; `created`: when the run was, the first part of the model's version.
 */
export const Provenance = Schema.Struct({
  _type: Schema.Literal("https://in-toto.io/Statement/v1"),
  subject: Schema.Array(Resource),
  predicateType: Schema.Literal("https://slsa.dev/provenance/v1"),
  predicate: Schema.Struct({
    buildDefinition: Schema.Struct({
      buildType: Schema.String,
      externalParameters: Schema.Unknown,
      internalParameters: Schema.Struct({
        seed: Schema.Int,
        threads: Schema.Int,
        env: Schema.String,
        synthetic: Schema.Boolean,
        created: Schema.String,
      }),
      resolvedDependencies: Schema.Array(Resource),
    }),
    runDetails: Schema.Struct({
      builder: Schema.Struct({ id: Schema.String, version: Schema.Record(Schema.String, Schema.String) }),
      metadata: Schema.Struct({ invocationId: Schema.String, startedOn: Schema.String, finishedOn: Schema.String }),
    }),
  }),
})
export type Provenance = typeof Provenance.Type

/** What a provenance is made of. Times are milliseconds since the epoch. */
export interface Facts {
  readonly files: ReadonlyArray<{ readonly name: string; readonly sha256: Sha256 }>
  readonly input: Json
  readonly seed: number
  readonly threads: number
  readonly env: string
  readonly synthetic: boolean
  readonly created: number
  readonly timeframe: string
  readonly partitions: ReadonlyArray<{ readonly symbol: string; readonly month: string; readonly sha256: Sha256 }>
  readonly code: Sha256
  readonly config: Readonly<Record<string, Sha256>>
  /** Names and versions of what the trainer ran on. */
  readonly environment: Readonly<Record<string, string>>
  readonly run: string
  readonly task: string
  readonly startedOn: number
  readonly finishedOn: number
}

const iso = (millis: number) => new Date(millis).toISOString()

const resource = (name: string, sha256: Sha256) => ({ name, digest: { sha256 } })

/** Makes the statement. */
export const make = (facts: Facts): Provenance => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: facts.files.map(({ name, sha256 }) => resource(name, sha256)),
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: {
    buildDefinition: {
      buildType: "https://dandori.dev/build-types/train/v2",
      externalParameters: facts.input,
      internalParameters: {
        seed: facts.seed,
        threads: facts.threads,
        env: facts.env,
        synthetic: facts.synthetic,
        created: iso(facts.created),
      },
      resolvedDependencies: [
        ...facts.partitions.map(({ month, sha256, symbol }) =>
          resource(`dataset/${symbol}/${facts.timeframe}/${month}`, sha256),
        ),
        resource("code", facts.code),
        ...Object.entries(facts.config).map(([section, sha256]) => resource(`config/${section}`, sha256)),
      ],
    },
    runDetails: {
      builder: { id: "https://dandori.dev/builders/trainer/v1", version: facts.environment },
      metadata: {
        invocationId: `${facts.run}/${facts.task}`,
        startedOn: iso(facts.startedOn),
        finishedOn: iso(facts.finishedOn),
      },
    },
  },
})

import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Model } from "../../src/domain/model.ts"
import { Sha256 } from "../../src/domain/sha256.ts"

/** Name of the model's file that says what it was made from. */
export const fileName = "provenance.json"

/** The part of SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance) that publishing depends on. */
const Provenance = Schema.Struct({
  predicate: Schema.Struct({
    buildDefinition: Schema.Struct({
      resolvedDependencies: Schema.Array(
        Schema.Struct({
          name: Schema.optionalKey(Schema.String),
          digest: Schema.Record(Schema.String, Schema.String),
        }),
      ),
    }),
  }),
})

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Provenance))
const isSha256 = Schema.is(Sha256)

/** How the datasets that a model claims differ from those of its provenance; empty when they are the same. */
export const problems = (text: string, claimed: Model["datasets"]): ReadonlyArray<string> => {
  const provenance = decode(text)
  if (Option.isNone(provenance)) return [`${fileName} is no SLSA v1 provenance`]
  const named = provenance.value.predicate.buildDefinition.resolvedDependencies
    .filter(({ name }) => name?.startsWith("dataset/"))
    .map(({ digest, name }) => ({ name: String(name), sha256: digest.sha256 }))
  if (named.length === 0) return [`${fileName} names no dataset`]
  const actual = new Set(named.map(({ sha256 }) => sha256))
  const wanted = new Set<string>(claimed)
  return [
    ...named.filter(({ sha256 }) => !isSha256(sha256)).map(({ name }) => `${fileName} has no digest for ${name}`),
    ...named
      .filter(({ sha256 }) => isSha256(sha256) && !wanted.has(sha256))
      .map(({ name, sha256 }) => `the model's datasets leave out ${name} (${sha256.slice(0, 12)}…) of its provenance`),
    ...[...wanted]
      .filter((sha256) => !actual.has(sha256))
      .map((sha256) => `the dataset ${sha256.slice(0, 12)}… is not in the model's provenance`),
  ]
}

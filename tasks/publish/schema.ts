import * as Schema from "effect/Schema"
import { GatedModel } from "../../src/domain/model.ts"
import { Segment } from "../../src/domain/names.ts"
import { Sha256 } from "../../src/domain/sha256.ts"

/** What is published: `Gated` is only a claim, the receipts of the staged bytes decide. */
export const PublishInput = Schema.Struct({
  model: GatedModel,
  deploy: Schema.optionalKey(Schema.Boolean).annotate({
    description: "make it champion of its slot (default true); else it stays a candidate",
  }),
  reason: Schema.optionalKey(Schema.String).annotate({ description: "recorded in the registry's histories" }),
  strict: Schema.optionalKey(Schema.Boolean).annotate({ description: "refuse WARNED gates too (default false)" }),
}).annotate({ identifier: "PublishInput" })
export type PublishInput = typeof PublishInput.Type

/** A version that stands in its folder and in the registry. */
export const Published = Schema.Struct({
  version: Segment,
  digest: Sha256,
  slot: Schema.String,
  path: Schema.String.annotate({ description: "the version's folder, relative to the project where it lies in it" }),
  deployed: Schema.Boolean,
  previous: Schema.optionalKey(Segment).annotate({ description: "the champion that it took the place of" }),
  receipts: Schema.Array(Sha256).annotate({ description: "digests of the envelopes that let it pass, sorted" }),
  alreadyPublished: Schema.Boolean.annotate({ description: "true when folder and row were there with the same bytes" }),
}).annotate({ identifier: "Published" })
export type Published = typeof Published.Type

import * as Schema from "effect/Schema"
import { ModelVersion } from "../../src/domain/model.ts"
import { Segment } from "../../src/domain/names.ts"
import { Sha256 } from "../../src/domain/sha256.ts"

/** Which published version becomes champion of its slot, and why. */
export const Input = Schema.Struct({
  model: ModelVersion.annotate({ description: "the published version that becomes champion, and its digest" }),
  reason: Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" })).annotate({
    description: "recorded in the registry's histories",
  }),
  previousBecomes: Schema.optionalKey(Schema.Literals(["archived", "rolled_back"])).annotate({
    description: "what becomes of the champion before: superseded (archived, the default), or taken out for cause",
  }),
  strict: Schema.optionalKey(Schema.Boolean).annotate({ description: "refuse WARNED gates too (default false)" }),
}).annotate({ identifier: "ModelDeployInput" })
export type Input = typeof Input.Type

/** The champion of the slot. */
export const Output = Schema.Struct({
  ...ModelVersion.fields,
  slot: Schema.String,
  path: Schema.String,
  previous: Schema.optionalKey(Segment).annotate({ description: "the champion that it took the place of" }),
  receipt: Schema.optionalKey(Sha256).annotate({ description: "the backtest's envelope that let it pass" }),
  moved: Schema.Boolean.annotate({ description: "false when it was champion already: nothing was changed" }),
}).annotate({ identifier: "DeployedModel" })
export type Output = typeof Output.Type

import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Cordon } from "../../../domain/cordon.ts"
import { PipelineId, Segment } from "../../../domain/names.ts"
import { AliasMove, FilesEvent, ModelRow, ModelStatus, RegistryEvent } from "../../../domain/registry.ts"
import { Needs } from "../authorization.ts"
import * as Problems from "../problems.ts"
import { Reason } from "../run-views.ts"

/** A slot as text, like `EURUSD-GBPUSD/1h`. */
const SlotText = Schema.String.check(Schema.isPattern(/^[A-Z0-9]{2,20}-[A-Z0-9]{2,20}\/(15m|1h|4h)$/u))

/** A version with all that the registry knows of it, oldest first. */
const ModelDetail = Schema.Struct({
  row: ModelRow,
  events: Schema.Array(RegistryEvent),
  moves: Schema.Array(AliasMove),
  files: Schema.Array(FilesEvent),
}).annotate({ identifier: "ModelDetail" })

/** Model versions and who was champion when. */
export const models = HttpApiGroup.make("models").add(
  HttpApiEndpoint.get("list", "/models", {
    query: { slot: Schema.optionalKey(SlotText), status: Schema.optionalKey(ModelStatus) },
    success: Schema.Struct({ models: Schema.Array(ModelRow) }),
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "Model versions, newest first"),
  HttpApiEndpoint.get("show", "/models/:version", {
    params: { version: Segment },
    success: ModelDetail,
    error: Problems.NotFound,
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "A version with its histories"),
  HttpApiEndpoint.get("history", "/aliases/champion", {
    query: { slot: SlotText },
    success: Schema.Struct({ moves: Schema.Array(AliasMove) }),
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "Every move of a slot's champion, oldest first"),
)

/** A cordon; `degraded` says where it does not stand, `unrecorded` why the ledger does not tell of it. */
const RaisedCordon = Schema.Struct({
  ...Cordon.fields,
  degraded: Schema.optionalKey(Schema.String),
  unrecorded: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "Cordon" })

const Expiry = Schema.String.check(
  Schema.isPattern(/^[1-9][0-9]{0,3}(m|h|d)$/u, { message: "must be minutes, hours or days, like 4h" }),
)

/** Cordons: what keeps new work from starting. */
export const cordons = HttpApiGroup.make("cordons").add(
  HttpApiEndpoint.get("list", "/cordons", { success: Schema.Struct({ cordons: Schema.Array(Cordon) }) })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "The cordons that stand, oldest first"),
  HttpApiEndpoint.post("raise", "/cordons", {
    payload: Schema.Struct({
      id: Schema.optionalKey(Segment),
      reason: Reason,
      scope: Schema.optionalKey(Schema.Array(PipelineId).check(Schema.isMinLength(1))),
      expires: Schema.optionalKey(Expiry),
    }),
    success: RaisedCordon.pipe(HttpApiSchema.status(201)),
    error: Problems.Conflict,
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Nothing new starts, in these pipelines or in all, until it is lifted or expires"),
  HttpApiEndpoint.post("lift", "/cordons/:cordon/lift", {
    params: { cordon: Segment },
    payload: Schema.Struct({ reason: Reason }),
    success: RaisedCordon,
    error: Problems.NotFound,
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Work starts again"),
)

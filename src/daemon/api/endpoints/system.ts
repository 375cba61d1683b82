import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { AuthType } from "../../../domain/actor.ts"
import { Role } from "../../../domain/token.ts"
import { Needs } from "../authorization.ts"
import * as Problems from "../problems.ts"

/** The document itself, and who asks. */
export const self = HttpApiGroup.make("self").add(
  HttpApiEndpoint.get("openapi", "/openapi.json", { success: Schema.Record(Schema.String, Schema.Unknown) })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "This document"),
  HttpApiEndpoint.get("whoami", "/whoami", {
    success: Schema.Struct({ authid: Schema.String, authtype: AuthType, role: Role }).annotate({
      identifier: "Whoami",
    }),
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "Who asks, and in which role"),
)

/** What a monitor asks; without a token but for the metrics. */
export const health = HttpApiGroup.make("health", { topLevel: true }).add(
  HttpApiEndpoint.get("livez", "/livez", { success: Schema.Struct({ status: Schema.Literal("alive") }) }).annotate(
    OpenApi.Summary,
    "The process answers",
  ),
  HttpApiEndpoint.get("readyz", "/readyz", {
    success: [Schema.Struct({ status: Schema.Literal("ready"), leader: Schema.Boolean })],
    error: Problems.Unavailable,
  }).annotate(OpenApi.Summary, "The daemon takes requests"),
)

/** Numbers for a monitor. */
export const metrics = HttpApiGroup.make("metrics", { topLevel: true }).add(
  HttpApiEndpoint.get("metrics", "/metrics", {
    success: Schema.String.pipe(
      HttpApiSchema.asText({ contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8" }),
    ),
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "Metrics of the process in OpenMetrics"),
)

import * as HttpApi from "effect/http-api/HttpApi"
import * as OpenApi from "effect/http-api/OpenApi"
import { Authorization, Checked } from "./authorization.ts"
import { tokens } from "./endpoints/access.ts"
import { approvals, runs } from "./endpoints/runs.ts"
import { health, metrics, self } from "./endpoints/system.ts"

const described = {
  title: "Dandori",
  version: "1",
  description: "Runs, their events, pipelines, schedules, models, approvals and cordons of a Dandori daemon.",
}

/** The API: what the OpenAPI document, the server and clients are made of. Without a token, only the health of the process. */
export const Api = HttpApi.make("dandori")
  .add(self.prefix("/api/v1").middleware(Authorization))
  .add(runs.prefix("/api/v1").middleware(Authorization))
  .add(approvals.prefix("/api/v1").middleware(Authorization))
  .add(tokens.prefix("/api/v1").middleware(Authorization))
  .add(metrics.middleware(Authorization))
  .add(health)
  .middleware(Checked)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
  .annotateMerge(OpenApi.annotations(described))

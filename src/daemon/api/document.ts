import * as HttpApi from "effect/http-api/HttpApi"
import * as OpenApi from "effect/http-api/OpenApi"
import { Authorization, Checked } from "./authorization.ts"
import { tokens } from "./endpoints/access.ts"
import { hooks, pipelines, schedules } from "./endpoints/pipelines.ts"
import { cordons, models } from "./endpoints/registry.ts"
import { approvals, runs } from "./endpoints/runs.ts"
import { health, metrics, self } from "./endpoints/system.ts"

const described = {
  title: "Dandori",
  version: "1",
  description: "Runs, their events, pipelines, schedules, models, approvals and cordons of a Dandori daemon.",
}

/**
 * The API: what the OpenAPI document, the server and clients are made of. Without a token there are only the health of the
 * process, and webhooks, which are signed.
 */
export const Api = HttpApi.make("dandori")
  .add(self.prefix("/api/v1").middleware(Authorization))
  .add(runs.prefix("/api/v1").middleware(Authorization))
  .add(approvals.prefix("/api/v1").middleware(Authorization))
  .add(pipelines.prefix("/api/v1").middleware(Authorization))
  .add(schedules.prefix("/api/v1").middleware(Authorization))
  .add(models.prefix("/api/v1").middleware(Authorization))
  .add(cordons.prefix("/api/v1").middleware(Authorization))
  .add(tokens.prefix("/api/v1").middleware(Authorization))
  .add(metrics.middleware(Authorization))
  .add(hooks.prefix("/api/v1"))
  .add(health)
  .middleware(Checked)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
  .annotateMerge(OpenApi.annotations(described))

import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { PipelineId, RunId } from "../../../domain/names.ts"
import { TickTime } from "../../../domain/occurrence.ts"
import { Plan } from "../../../domain/plan.ts"
import { TickView } from "../../../scheduler/tick-view.ts"
import { ConfigurationProblem, PipelineView, ScheduleView } from "../../host.ts"
import { Needs } from "../authorization.ts"
import { Created, Known, keyed } from "../begun.ts"
import * as Problems from "../problems.ts"
import { Reason, isExact } from "../run-views.ts"

const pipeline = { pipeline: PipelineId }

/** Values of a pipeline's params, by name. */
export const Params = Schema.Record(Schema.String, Schema.Unknown).check(isExact)

const Moment = TickTime.check(
  Schema.makeFilter(
    (text) => !Number.isNaN(Date.parse(text)) || "must be a time that there is, like 2026-01-31T00:00:00Z",
  ),
)

/** Pipelines: what is deployed, and starting it. */
export const pipelines = HttpApiGroup.make("pipelines").add(
  HttpApiEndpoint.get("list", "/pipelines", {
    success: Schema.Struct({
      pipelines: Schema.Array(PipelineView),
      problem: Schema.optionalKey(ConfigurationProblem),
    }),
  })
    .annotate(Needs, "read")
    .annotate(
      OpenApi.Summary,
      "The pipelines that are deployed, files that do not take over, and what is wrong with the configuration",
    ),
  HttpApiEndpoint.get("show", "/pipelines/:pipeline", {
    params: pipeline,
    success: PipelineView,
    error: Problems.NotFound,
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "A pipeline"),
  HttpApiEndpoint.get("plan", "/pipelines/:pipeline/plan", {
    params: pipeline,
    success: Plan,
    error: Problems.NotFound,
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "The plan of a pipeline that is deployed"),
  HttpApiEndpoint.post("start", "/pipelines/:pipeline/runs", {
    params: pipeline,
    headers: keyed,
    payload: Schema.Struct({ params: Schema.optionalKey(Params) }),
    success: [Known, Created],
    error: [Problems.NotFound, Problems.Conflict, Problems.Unprocessable],
  })
    .annotate(Needs, "operate")
    .annotate(
      OpenApi.Summary,
      "Starts a run of a deployed pipeline; the same key and body within a day give the same run",
    ),
)

/** Id of a backfill: a UUIDv7, as that of a run. */
const BackfillId = RunId

/** How many ticks, from 1 to 1000. */
const Last = Schema.String.check(Schema.isPattern(/^([1-9][0-9]{0,2}|1000)$/u)).pipe(
  Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString),
)

/** Schedules: when pipelines run by themselves. */
export const schedules = HttpApiGroup.make("schedules").add(
  HttpApiEndpoint.get("list", "/schedules", { success: Schema.Struct({ schedules: Schema.Array(ScheduleView) }) })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "The schedules of all deployed pipelines"),
  HttpApiEndpoint.get("show", "/schedules/:pipeline", {
    params: pipeline,
    success: ScheduleView,
    error: Problems.NotFound,
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "A schedule: the next ticks, and what became of the last ones"),
  HttpApiEndpoint.get("explain", "/schedules/:pipeline/ticks", {
    params: pipeline,
    query: { tick: Schema.optionalKey(Moment), last: Schema.optionalKey(Last) },
    success: Schema.Struct({ ticks: Schema.Array(TickView) }),
    error: Problems.NotFound,
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "Why ticks did or did not run: that of one nominal time, or the newest, oldest first"),
  HttpApiEndpoint.post("pause", "/schedules/:pipeline/pause", {
    params: pipeline,
    payload: Schema.Struct({ reason: Reason }),
    success: ScheduleView,
    error: Problems.NotFound,
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "No tick runs until the schedule is resumed"),
  HttpApiEndpoint.post("resume", "/schedules/:pipeline/resume", {
    params: pipeline,
    payload: Schema.Struct({ reason: Reason }),
    success: ScheduleView,
    error: Problems.NotFound,
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Ticks run again"),
  HttpApiEndpoint.post("backfill", "/schedules/:pipeline/backfills", {
    params: pipeline,
    payload: Schema.Struct({ from: Moment, to: Moment, definition: Schema.Literals(["today", "then"]) }),
    success: Schema.Struct({ backfill: BackfillId, runs: Schema.Array(Schema.Struct({ tick: TickTime, run: RunId })) }),
    error: [Problems.NotFound, Problems.Conflict],
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Runs the ticks from one time to before another, by the definition of today or of then"),
  HttpApiEndpoint.post("cancelBackfill", "/schedules/:pipeline/backfills/:backfill/cancel", {
    params: { ...pipeline, backfill: BackfillId },
    payload: Schema.Struct({ reason: Reason }),
    success: Schema.Struct({ backfill: BackfillId, left: Schema.Int }),
    error: Problems.NotFound,
  })
    .annotate(Needs, "operate")
    .annotate(
      OpenApi.Summary,
      "Leaves out what a backfill has not run yet, and says how many ticks that are; the run that goes on does so",
    ),
)

/** Requests of other systems, signed by the scheme of Standard Webhooks (standardwebhooks.com). */
export const hooks = HttpApiGroup.make("hooks").add(
  HttpApiEndpoint.post("call", "/hooks/:pipeline", {
    params: pipeline,
    headers: {
      "webhook-id": Schema.optionalKey(Schema.String),
      "webhook-timestamp": Schema.optionalKey(Schema.String),
      "webhook-signature": Schema.optionalKey(Schema.String),
    },
    payload: Schema.StructWithRest(Schema.Struct({ params: Schema.optionalKey(Params) }), [
      Schema.Record(Schema.String, Schema.Unknown),
    ]),
    success: [Known, Created],
    error: [Problems.Unauthorized, Problems.NotFound, Problems.Conflict, Problems.Unprocessable, Problems.Unavailable],
  }).annotate(
    OpenApi.Summary,
    "Starts a run of a pipeline that has a hook; the same `webhook-id` gives the same run. Of the body, `params` counts",
  ),
)

import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { RunId, TaskId } from "../../../domain/names.ts"
import { Plan } from "../../../domain/plan.ts"
import { Sha256 } from "../../../domain/sha256.ts"
import { Needs } from "../authorization.ts"
import { Created, Known, keyed } from "../begun.ts"
import * as Problems from "../problems.ts"
import { PendingApproval, Reason, RunDetail, RunPage, isExact } from "../run-views.ts"

const run = { run: RunId }

const wholeNumber = (pattern: RegExp) =>
  Schema.String.check(Schema.isPattern(pattern)).pipe(
    Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString),
  )

/** How many, from 1 to 100. */
const Limit = wholeNumber(/^([1-9][0-9]?|100)$/u)
/** Sequence of an event; 0 stands before the first. */
const Sequence = wholeNumber(/^(0|[1-9][0-9]{0,8})$/u)

/** A digest; a branded schema alone leaves its pattern out of the document. */
const Digest = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/u)).pipe(Schema.decodeTo(Sha256))

/** What was asked is done; `run` and the like say of what. */
const Done = Schema.Struct({ run: RunId, by: Schema.String }).annotate({ identifier: "Done" })

/** One server-sent event; the document has no schema of its own for streams of them. */
const eventSchema = {
  type: "object",
  required: ["event", "data"],
  properties: {
    id: { type: "string", pattern: "^[1-9][0-9]*$", description: "sequence of the entry; a problem has none" },
    event: {
      type: "string",
      description: "type of the entry; or `problem`, which stands alone: the run waited to be created, and is not",
    },
    data: {
      type: "string",
      contentMediaType: "application/json",
      description: "the entry as it was sealed, or the problem",
    },
  },
}

const withEvents = (operation: Readonly<Record<string, any>>) => ({
  ...operation,
  responses: {
    ...operation.responses,
    200: { ...operation.responses[200], content: { "text/event-stream": { schema: eventSchema } } },
  },
})

/** Runs: what they are, what happens in them, and what people ask of them. */
export const runs = HttpApiGroup.make("runs").add(
  HttpApiEndpoint.get("list", "/runs", {
    query: { limit: Schema.optionalKey(Limit), before: Schema.optionalKey(RunId) },
    success: RunPage,
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "Runs, newest first; `before` goes on where a page ended"),
  HttpApiEndpoint.get("show", "/runs/:run", { params: run, success: RunDetail, error: Problems.NotFound })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "A run with its tasks and what it waits for"),
  HttpApiEndpoint.get("plan", "/runs/:run/plan", { params: run, success: Plan, error: Problems.NotFound })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "The plan that a run was started with"),
  HttpApiEndpoint.get("events", "/runs/:run/events", {
    params: run,
    query: { after: Schema.optionalKey(Sequence) },
    headers: { "last-event-id": Schema.optionalKey(Sequence) },
    success: [Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })), HttpApiSchema.NoContent],
    error: [Problems.NotFound, Problems.Conflict],
  })
    .annotate(Needs, "read")
    .annotate(
      OpenApi.Summary,
      "The events of a run as server-sent events, live, from any sequence on; ends with the run, and waits for one to begin that is asked for",
    )
    .annotate(OpenApi.Transform, withEvents),
  HttpApiEndpoint.post("cancel", "/runs/:run/cancel", {
    params: run,
    payload: Schema.Struct({ reason: Reason }),
    success: Done,
    error: [Problems.NotFound, Problems.Conflict],
  })
    .annotate(Needs, "operate")
    .annotate(
      OpenApi.Summary,
      "Cancels a run: its tasks get their grace to stop, and one that is not created yet never is",
    ),
  HttpApiEndpoint.post("resolve", "/runs/:run/resolutions", {
    params: run,
    payload: Schema.Struct({
      task: TaskId,
      as: Schema.Literals(["succeeded", "failed"]),
      reason: Reason,
      output: Schema.optionalKey(Schema.Unknown.check(isExact)),
    }),
    success: Done,
    error: [Problems.NotFound, Problems.Conflict],
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Says what became of a task whose outcome nobody knows"),
  HttpApiEndpoint.post("retry", "/runs/:run/retry", {
    params: run,
    headers: keyed,
    payload: Schema.Struct({ from: Schema.optionalKey(TaskId), only: Schema.optionalKey(TaskId) }),
    success: [Known, Created],
    error: [Problems.NotFound, Problems.Conflict, Problems.Unprocessable],
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Runs the plan of a run that has ended again, but for what succeeded there"),
  HttpApiEndpoint.post("resume", "/runs/:run/resume", {
    params: run,
    success: Done,
    error: [Problems.NotFound, Problems.Conflict],
  })
    .annotate(Needs, "operate")
    .annotate(OpenApi.Summary, "Goes on with a run that no process drives"),
)

/** Agreement: who waits for it, and answers. */
export const approvals = HttpApiGroup.make("approvals").add(
  HttpApiEndpoint.get("list", "/approvals", {
    success: Schema.Struct({ approvals: Schema.Array(PendingApproval) }),
  })
    .annotate(Needs, "read")
    .annotate(OpenApi.Summary, "The tasks of open runs that wait for people to agree"),
  HttpApiEndpoint.post("answer", "/runs/:run/approvals", {
    params: run,
    payload: Schema.Union([
      Schema.Struct({
        decision: Schema.Literal("approve"),
        task: TaskId,
        input: Digest,
        reason: Schema.optionalKey(Reason),
      }),
      Schema.Struct({ decision: Schema.Literal("refuse"), task: TaskId, input: Digest, reason: Reason }),
    ]),
    success: Done,
    error: [Problems.NotFound, Problems.Conflict],
  })
    .annotate(Needs, "approve")
    .annotate(OpenApi.Summary, "Agrees or refuses, about the input whose digest is named"),
)

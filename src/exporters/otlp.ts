/** What OTLP traces and metrics share: names of the CI/CD semantic conventions (OpenTelemetry semconv 1.45), forms, times. */
import type * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpResource from "effect/observability/OtlpResource"
import type * as OtlpTracer from "effect/observability/OtlpTracer"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import type { Failure, Outcome } from "./happening.ts"

export type TraceData = OtlpTracer.TraceData
export type Span = TraceData["resourceSpans"][number]["scopeSpans"][number]["spans"][number]
export type MetricsData = OtlpMetrics.MetricsData
export type Metric = MetricsData["resourceMetrics"][number]["scopeMetrics"][number]["metrics"][number]
export type Attributes = Readonly<Record<string, string | number>>

/** Where the attribute names are defined. */
export const schemaUrl = "https://opentelemetry.io/schemas/1.45.0"
/** Who observed. */
export const scope = { name: "dandori" }

/** Attributes in OTLP's form. */
export const attributes = (values: Attributes) => OtlpResource.entriesToAttributes(Object.entries(values))

/** A resource in OTLP's form. */
export const resource = (values: Attributes): OtlpResource.Resource => ({
  attributes: attributes({ "service.name": "dandori", ...values }),
  droppedAttributesCount: 0,
})

/** The environment and the host that a run's entries came from (`dandori://<env>/<host>`). */
export const placeOf = (env: string, source: string): Attributes => ({
  "deployment.environment.name": env,
  "host.name": source.slice(source.lastIndexOf("/") + 1),
})

/** Nanoseconds since the epoch, as OTLP's JSON writes 64-bit integers. */
export const nanos = (millis: number): string => `${BigInt(millis) * 1_000_000n}`

/** `cicd.pipeline.result` and `cicd.pipeline.task.run.result` of a status or an outcome. */
export const resultOf: Readonly<Record<Outcome | FinalRunStatus, string>> = {
  succeeded: "success",
  warned: "success",
  failed: "failure",
  timed_out: "timeout",
  cancelled: "cancellation",
  lost: "error",
}

/** `error.type` where the result wants one. */
export const errorType = (status: Outcome | FinalRunStatus, error: Failure | undefined): Attributes =>
  status === "failed" || status === "lost" ? { "error.type": error?.tag ?? "_OTHER" } : {}

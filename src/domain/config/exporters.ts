import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { HttpUrl } from "./http-url.ts"
import { Name } from "./measure.ts"
import { NamedList } from "./named-list.ts"
import { SecretReference } from "./secret-reference.ts"

/** Headers of every request by name. Their values are secrets: references only. */
const Headers = Schema.Record(
  Schema.String.check(Schema.isPattern(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { message: "must be the name of a header" })),
  SecretReference,
)

/** The namespace of jobs and datasets in the lineage system: tells projects apart that use the same names. */
const Namespace = Schema.String.check(Schema.isMinLength(1))

/**
 * One place that the ledger's views are sent to. `open-lineage` posts each run event to `url`, `open-lineage-file` appends
 * them to `path` as NDJSON, `otlp` posts traces and metrics to `/v1/traces` and `/v1/metrics` below `url`.
 */
export const Exporter = Schema.Union([
  Schema.Struct({
    name: Name,
    kind: Schema.Literal("open-lineage"),
    namespace: Namespace,
    url: HttpUrl,
    headers: Schema.optionalKey(Headers),
  }),
  Schema.Struct({
    name: Name,
    kind: Schema.Literal("open-lineage-file"),
    namespace: Namespace,
    path: Schema.String.check(Schema.isMinLength(1)),
  }),
  Schema.Struct({
    name: Name,
    kind: Schema.Literal("otlp"),
    url: HttpUrl,
    headers: Schema.optionalKey(Headers),
  }),
])
export type Exporter = typeof Exporter.Type

/** Where the ledger's views go. A name keeps its cursor when its settings change. `timeout` is for one request. */
export const ExportersSection = Schema.Struct({
  timeout: Duration,
  exporters: NamedList("name", Exporter),
})
export type ExportersSection = typeof ExportersSection.Type

/** What a configuration without the section says. */
export const none: ExportersSection = { timeout: "5s", exporters: [] }

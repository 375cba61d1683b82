import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js"

/** The messages that OpenTelemetry generates from its published protobuf definitions. */
interface Message {
  readonly fromObject: (value: object) => object
  readonly encode: (message: object) => { readonly finish: () => Uint8Array }
  readonly decode: (bytes: Uint8Array) => object
  readonly toObject: (message: object, options: object) => any
}
/** What is used of the generated module, which has no types of its own. */
interface Generated {
  readonly opentelemetry: {
    readonly proto: {
      readonly collector: {
        readonly trace: { readonly v1: { readonly ExportTraceServiceRequest: Message } }
        readonly metrics: { readonly v1: { readonly ExportMetricsServiceRequest: Message } }
      }
    }
  }
}
const { collector } = (root as unknown as Generated).opentelemetry.proto
const trace = collector.trace.v1.ExportTraceServiceRequest
const metrics = collector.metrics.v1.ExportMetricsServiceRequest

const mapped = (value: unknown, change: (key: string, text: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((item) => mapped(item, change))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [
      key,
      typeof field === "string" ? change(key, field) : mapped(field, change),
    ]),
  )
}
const isId = (key: string) => key === "traceId" || key === "spanId" || key === "parentSpanId"
const reCode = (from: "hex" | "base64", to: "hex" | "base64") => (key: string, text: string) =>
  isId(key) ? Buffer.from(text, from).toString(to) : text

/**
 * An OTLP/HTTP JSON body as OpenTelemetry's own protobuf code understands it: through the wire format and back. In OTLP's
 * JSON ids are hexadecimal; in protobuf's they are base64. What the definitions do not know is lost on the way.
 */
const through = (message: Message, body: string): any => {
  const value = mapped(JSON.parse(body), reCode("hex", "base64")) as object
  const decoded = message.decode(message.encode(message.fromObject(value)).finish())
  return mapped(
    message.toObject(decoded, { longs: String, bytes: String, enums: Number, arrays: true }),
    reCode("base64", "hex"),
  )
}

/** A body of `/v1/traces`, decoded. */
export const traces = (body: string): any => through(trace, body)
/** A body of `/v1/metrics`, decoded. */
export const measures = (body: string): any => through(metrics, body)

/** Attributes by name, each with the one value that it has. */
export const attributes = (list: ReadonlyArray<{ key: string; value: object }>): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]))

/** The names of all fields in a value, so that one that was lost on the way is found. */
export const fields = (value: unknown): ReadonlyArray<string> => {
  if (typeof value !== "object" || value === null) return []
  const found = Object.entries(value).flatMap(([key, field]) => [
    ...(Array.isArray(value) ? [] : [key]),
    ...fields(field),
  ])
  return [...new Set(found)].toSorted()
}

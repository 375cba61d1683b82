import type { Exporter } from "../domain/config/exporters.ts"
import type { Entry } from "../domain/event.ts"
import type { Cursor } from "../services/export-cursors.ts"
import { happenings } from "./happening.ts"
import * as OpenLineage from "./open-lineage.ts"
import * as OtlpMetrics from "./otlp-metrics.ts"
import * as OtlpTrace from "./otlp-trace.ts"

/** What is sent at once. When it has been accepted with all before it, the cursor may stand at `through`. */
export interface Body {
  /** Below the exporter's URL. */
  readonly path: string
  readonly text: string
  readonly through: number
}

/** What follows from the entries of a run up to and with `through`, and after the batch before. */
export interface Batch {
  readonly through: number
  readonly bodies: ReadonlyArray<Body>
}

/** Entries in a batch. */
const sizes = { "open-lineage": 100, "open-lineage-file": 1_000, otlp: 1_000 } as const

/** Takes what follows from the entries up to one, from what comes in the order of their sequence. */
const taker = <A extends { readonly sequence: number }>(all: Iterator<A>, after: number) => {
  let next = all.next()
  const take = (through: number): ReadonlyArray<A> => {
    const taken: Array<A> = []
    for (; next.done !== true && next.value.sequence <= through; next = all.next()) taken.push(next.value)
    return taken
  }
  take(after)
  return take
}

/** How entries become bodies, asked for in order. A lineage event is a body of its own; OTLP's two are accepted together. */
const bodiesOf = (exporter: Exporter, run: string, entries: ReadonlyArray<Entry>, after: number) => {
  if (exporter.kind !== "otlp") {
    const events = taker(OpenLineage.runEvents(run, entries, exporter.namespace), after)
    return (_: number, through: number): ReadonlyArray<Body> =>
      events(through).map(({ event }, index, all) => {
        const next = all[index + 1]
        return { path: "", text: JSON.stringify(event), through: next === undefined ? through : next.sequence - 1 }
      })
  }
  const spans = taker(OtlpTrace.spans(run, entries), after)
  const during = taker(happenings(entries), after)
  return (from: number, through: number): ReadonlyArray<Body> => {
    const ended = spans(through).map(({ span }) => span)
    const metrics = OtlpMetrics.metricsData(entries[0], during(through))
    const found = [
      ...(ended.length === 0 ? [] : [{ path: "/v1/traces", data: OtlpTrace.traceData(run, entries[0], ended) }]),
      ...(metrics === undefined ? [] : [{ path: "/v1/metrics", data: metrics }]),
    ]
    return found.map(({ data, path }, index) => ({
      path,
      text: JSON.stringify(data),
      through: index === found.length - 1 ? through : from,
    }))
  }
}

/**
 * The batches of a run behind a cursor, in order. The first is the one that was on its way, if there was one, with the same
 * bytes: a batch follows from where it begins and ends.
 */
export function* batches(
  exporter: Exporter,
  run: string,
  entries: ReadonlyArray<Entry>,
  { position, sending }: Cursor,
): Generator<Batch> {
  const bodies = bodiesOf(exporter, run, entries, position)
  let from = position
  while (from < entries.length) {
    const through = Math.min(
      from === position && sending !== undefined ? sending : from + sizes[exporter.kind],
      entries.length,
    )
    yield { through, bodies: bodies(from, through) }
    from = through
  }
}

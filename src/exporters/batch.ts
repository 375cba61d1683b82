import type { Exporter } from "../domain/config/exporters.ts"
import type { Entry } from "../domain/event.ts"
import type { Cursor } from "../services/export-cursors.ts"
import { happenings } from "./happening.ts"
import * as OpenLineage from "./open-lineage.ts"
import * as OtlpMetrics from "./otlp-metrics.ts"
import * as OtlpTrace from "./otlp-trace.ts"

/** What follows from the entries of a run up to and with `through`, and after the batch before: bodies by path below the URL. */
export interface Batch {
  readonly through: number
  readonly bodies: ReadonlyArray<{ readonly path: string; readonly text: string }>
}

/** Entries in a batch. A lineage system takes one event a request, so that a refusal does not send those before it again. */
const sizes = { "open-lineage": 1, "open-lineage-file": 1_000, otlp: 1_000 } as const

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

/** How the entries up to one become bodies. Has to be asked in order. */
const bodiesOf = (exporter: Exporter, run: string, entries: ReadonlyArray<Entry>, after: number) => {
  if (exporter.kind !== "otlp") {
    const events = taker(OpenLineage.runEvents(run, entries, exporter.namespace), after)
    return (through: number) => events(through).map(({ event }) => ({ path: "", text: JSON.stringify(event) }))
  }
  const spans = taker(OtlpTrace.spans(run, entries), after)
  const during = taker(happenings(entries), after)
  return (through: number) => {
    const ended = spans(through).map(({ span }) => span)
    const metrics = OtlpMetrics.metricsData(entries[0], during(through))
    return [
      ...(ended.length === 0 ? [] : [{ path: "/v1/traces", data: OtlpTrace.traceData(run, entries[0], ended) }]),
      ...(metrics === undefined ? [] : [{ path: "/v1/metrics", data: metrics }]),
    ].map(({ data, path }) => ({ path, text: JSON.stringify(data) }))
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
    yield { through, bodies: bodies(through) }
    from = through
  }
}

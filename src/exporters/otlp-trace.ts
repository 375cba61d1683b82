/** OTLP spans (opentelemetry-proto trace.v1, JSON form) as a view of a run's entries. */
import type { Entry, EventData } from "../domain/event.ts"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import * as Sha256 from "../domain/sha256.ts"
import { type EndedAttempt, type Failure, type Outcome, happenings } from "./happening.ts"
import * as Otlp from "./otlp.ts"

/** A span, and the sequence of the entry that it follows from. */
export interface SequencedSpan {
  readonly sequence: number
  readonly span: Otlp.Span
}

/** The trace of a run: the 128 bits of its UUID. */
export const traceId = (run: string): string => run.replaceAll("-", "")

/** The span of a run, of a task (`<run>/<task>`), of an attempt (`<run>/<task>/<attempt>`). */
export const spanId = (subject: string): string => Sha256.of(subject).slice(0, 16)

const kinds = { internal: 1, server: 2 } as const

/** Unset unless it went wrong: what the conventions want. */
const statusOf = (outcome: Outcome | FinalRunStatus, error: Failure | undefined): Otlp.Span["status"] => {
  if (outcome === "succeeded" || outcome === "warned" || outcome === "cancelled") return { code: 0 }
  return { code: 2, message: error?.message ?? `It is ${outcome}` }
}

/**
 * The spans of a run as far as its entries go: one for the run, one for each task that was tried, one for each attempt,
 * linked to the attempt before it. A span follows from the entry that ends it; that of a task that did not succeed follows
 * from the end of the run, since it may be tried again until then.
 */
export function* spans(run: string, entries: ReadonlyArray<Entry>): Generator<SequencedSpan> {
  const span = (subject: string, parent: string | undefined, rest: Partial<Otlp.Span> & Pick<Otlp.Span, "name">) => ({
    traceId: traceId(run),
    spanId: spanId(subject),
    parentSpanId: parent === undefined ? undefined : spanId(parent),
    kind: kinds.internal,
    startTimeUnixNano: "0",
    endTimeUnixNano: "0",
    attributes: [],
    droppedAttributesCount: 0,
    events: [],
    droppedEventsCount: 0,
    status: { code: 0 as const },
    links: [],
    droppedLinksCount: 0,
    ...rest,
  })
  const facts = (attempt: EndedAttempt, id: string, started: number) => ({
    startTimeUnixNano: Otlp.nanos(started),
    endTimeUnixNano: Otlp.nanos(attempt.ended),
    status: statusOf(attempt.outcome, attempt.error),
    attributes: Otlp.attributes({
      "cicd.pipeline.task.name": attempt.task,
      "cicd.pipeline.task.run.id": id,
      "cicd.pipeline.task.run.result": Otlp.resultOf[attempt.outcome],
      ...Otlp.errorType(attempt.outcome, attempt.error),
    }),
  })
  const ofAttempt = (attempt: EndedAttempt, before: number | undefined): Otlp.Span => {
    const task = `${run}/${attempt.task}`
    const link = {
      traceId: traceId(run),
      spanId: spanId(`${task}/${before}`),
      attributes: [],
      droppedAttributesCount: 0,
    }
    return span(`${task}/${attempt.attempt}`, task, {
      name: `ATTEMPT ${attempt.task}`,
      ...facts(attempt, `${task}/${attempt.attempt}`, attempt.started),
      links: before === undefined ? [] : [link],
    })
  }
  const ofTask = (attempt: EndedAttempt, started: number): Otlp.Span => {
    const task = `${run}/${attempt.task}`
    return span(task, run, { name: `RUN ${attempt.task}`, ...facts(attempt, task, started) })
  }

  let pipeline = ""
  let created = 0
  const first = new Map<string, number>()
  const pending = new Map<string, EndedAttempt>()
  for (const happening of happenings(entries)) {
    const { sequence, time } = happening
    switch (happening.kind) {
      case "run-started":
        pipeline = happening.created.pipeline
        created = time
        break
      case "attempt-started":
        break
      case "attempt-ended": {
        const { attempt } = happening
        const started = first.get(attempt.task) ?? attempt.started
        first.set(attempt.task, started)
        yield { sequence, span: ofAttempt(attempt, pending.get(attempt.task)?.attempt) }
        if (attempt.outcome === "succeeded") {
          pending.delete(attempt.task)
          yield { sequence, span: ofTask(attempt, started) }
        } else pending.set(attempt.task, attempt)
        break
      }
      case "run-ended": {
        for (const attempt of pending.values()) {
          yield { sequence, span: ofTask(attempt, first.get(attempt.task) ?? attempt.started) }
        }
        const { error, status } = happening
        yield {
          sequence,
          span: span(run, undefined, {
            name: `RUN ${pipeline}`,
            kind: kinds.server,
            startTimeUnixNano: Otlp.nanos(created),
            endTimeUnixNano: Otlp.nanos(time),
            status: statusOf(status, error),
            attributes: Otlp.attributes({
              "cicd.pipeline.action.name": "RUN",
              "cicd.pipeline.result": Otlp.resultOf[status],
              ...Otlp.errorType(status, error),
            }),
          }),
        }
      }
    }
  }
}

/** Spans of one run as the body of an OTLP request. `first` is the run's first entry. */
export const traceData = (run: string, first: Entry, spans: ReadonlyArray<Otlp.Span>): Otlp.TraceData => {
  const created = first.data as EventData<"dev.dandori.run.created.v1">
  const resource = Otlp.resource({
    ...Otlp.placeOf(created.env, first.source),
    "cicd.pipeline.name": created.pipeline,
    "cicd.pipeline.run.id": run,
  })
  return {
    resourceSpans: [{ resource, scopeSpans: [{ scope: Otlp.scope, spans: [...spans] }], schemaUrl: Otlp.schemaUrl }],
  }
}

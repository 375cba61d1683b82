/** OpenLineage 2-0-2 run events (https://openlineage.io/docs/spec/object-model) as a view of a run's entries. */
import type { Entry } from "../domain/event.ts"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import { type EndedAttempt, type Outcome, happenings } from "./happening.ts"
import * as LineageDataset from "./lineage-dataset.ts"
import * as Facet from "./lineage-facet.ts"

type EventType = "START" | "COMPLETE" | "FAIL" | "ABORT"

/** A run event. The run is one of the pipeline, or one attempt of a task with the pipeline's run as its parent. */
export interface RunEvent {
  readonly eventType: EventType
  readonly eventTime: string
  readonly producer: string
  readonly schemaURL: string
  readonly run: { readonly runId: string; readonly facets: Readonly<Record<string, Facet.Facet>> }
  readonly job: {
    readonly namespace: string
    readonly name: string
    readonly facets: Readonly<Record<string, Facet.Facet>>
  }
  readonly inputs: ReadonlyArray<LineageDataset.LineageDataset>
  readonly outputs: ReadonlyArray<LineageDataset.LineageDataset>
}

/** An event, and the sequence of the entry that it follows from. */
export interface SequencedEvent {
  readonly sequence: number
  readonly event: RunEvent
}

const attemptNamespace = "6d2a8f0e-3c1b-5e57-9f0d-8a4c5b7e2d90"

/** The OpenLineage run of an attempt: a UUIDv5 (RFC 9562) of the run, the task and the attempt's number. */
export const attemptRunId = (run: string, task: string, attempt: number): string =>
  Bun.randomUUIDv5(`${run}/${task}/${attempt}`, attemptNamespace)

const ofOutcome: Readonly<Record<Outcome | FinalRunStatus, EventType>> = {
  succeeded: "COMPLETE",
  warned: "COMPLETE",
  failed: "FAIL",
  timed_out: "FAIL",
  cancelled: "ABORT",
  lost: "ABORT",
}

const failure = (error: { readonly message: string } | undefined): Readonly<Record<string, Facet.Facet>> =>
  error === undefined ? {} : { errorMessage: Facet.errorMessage(error.message) }

/**
 * The run events of a run as far as its entries go: START and COMPLETE, FAIL or ABORT of the run (job = the pipeline) and
 * of each attempt (job = `<pipeline>.<task>`). A retried task is a run for each attempt, since what has ended in OpenLineage
 * does not start again. An attempt of unknown outcome ends when a person has said what became of it.
 */
export function* runEvents(run: string, entries: ReadonlyArray<Entry>, namespace: string): Generator<SequencedEvent> {
  let job: RunEvent["job"] = { namespace, name: "", facets: {} }
  let runFacets: Readonly<Record<string, Facet.Facet>> = {}
  let code = ""

  const event = (eventType: EventType, time: number, rest: Partial<RunEvent>): RunEvent => ({
    eventType,
    eventTime: new Date(time).toISOString(),
    producer: Facet.producer,
    schemaURL: "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    run: { runId: run, facets: runFacets },
    job,
    inputs: [],
    outputs: [],
    ...rest,
  })
  const ofAttempt = ({ attempt, task }: Pick<EndedAttempt, "attempt" | "task">, facets: RunEvent["run"]["facets"]) => ({
    run: {
      runId: attemptRunId(run, task, attempt),
      facets: { ...runFacets, parent: Facet.parent(run, namespace, job.name), ...facets },
    },
    job: {
      namespace,
      name: `${job.name}.${task}`,
      facets: { sourceCodeLocation: Facet.sourceCodeLocation("dandori-code", code) },
    },
  })

  for (const happening of happenings(entries)) {
    const { sequence, time } = happening
    switch (happening.kind) {
      case "run-started": {
        const { created } = happening
        const tick = Date.parse(created.tick ?? "")
        code = created.code
        runFacets = Number.isNaN(tick) ? {} : { nominalTime: Facet.nominalTime(tick) }
        const sourceCodeLocation = Facet.sourceCodeLocation("dandori-plan", created.plan)
        job = { namespace, name: created.pipeline, facets: { sourceCodeLocation } }
        yield { sequence, event: event("START", time, {}) }
        break
      }
      case "attempt-started": {
        const { attempt } = happening
        const inputs = LineageDataset.inputs(namespace, LineageDataset.datasetsIn(attempt.input))
        yield { sequence, event: event("START", time, { ...ofAttempt(attempt, {}), inputs }) }
        break
      }
      case "attempt-ended": {
        const { attempt } = happening
        if (!attempt.hasIntent) yield { sequence, event: event("START", time, ofAttempt(attempt, {})) }
        const given = LineageDataset.datasetsIn(attempt.input)
        const inputs = LineageDataset.inputs(namespace, given, (each) => LineageDataset.assertions(attempt, each))
        const outputs = LineageDataset.outputs(namespace, LineageDataset.madeBy(attempt))
        const ended = { ...ofAttempt(attempt, failure(attempt.error)), inputs, outputs }
        yield { sequence, event: event(ofOutcome[attempt.outcome], time, ended) }
        break
      }
      case "run-ended": {
        const eventType = ofOutcome[happening.status]
        const facets = { ...runFacets, ...(eventType === "COMPLETE" ? {} : failure(happening.error)) }
        yield { sequence, event: event(eventType, time, { run: { runId: run, facets } }) }
      }
    }
  }
}

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Entry, data as eventData } from "../../domain/event.ts"
import * as RecordedRun from "../../engine/recorded-run.ts"
import { resultsOf } from "../render/run-results.ts"
import { present } from "../runs-show.ts"
import * as Client from "./daemon-client.ts"
import { EventsAltered } from "./daemon-errors.ts"
import * as RunChoice from "./run-choice.ts"
import * as RunEvents from "./run-events.ts"
import { waitsOf } from "./runs-list.ts"

const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])

/** Shows what a daemon tells of one run: its events, each verified against the one before, up to where it stands now. */
export const showRun = Effect.fnUntraced(function* (name: string) {
  const { daemon, flags } = yield* Client.find
  const id = yield* RunChoice.choose(daemon, name)
  const detail = yield* daemon.ask((api) => api.runs.show({ params: { run: id } }))
  if (detail.damaged !== undefined) return yield* new EventsAltered({ run: id, reason: detail.damaged })
  const plan = yield* daemon.ask((api) => api.runs.plan({ params: { run: id } }))
  const entries: Array<Entry> = []
  if (detail.sequence > 0) {
    yield* RunEvents.make(daemon, id).take((entry) =>
      Effect.sync(() => {
        entries.push(entry)
        return entries.length >= detail.sequence
      }),
    )
  }
  const { created, durationMillis, status, who } = detail
  const [first] = entries
  const owned = durationMillis === undefined && status !== "interrupted" && status !== "empty"
  const run: RecordedRun.RecordedRun = {
    id,
    status,
    ...waitsOf(detail),
    owned,
    created: Date.parse(created),
    durationMillis,
    data: isCreated(first?.data) ? first.data : undefined,
    who,
    entries,
    fault: undefined,
  }
  const facts = RecordedRun.factsOf(plan, run)
  const now = owned ? yield* Clock.currentTimeMillis : Date.parse(entries.at(-1)?.time ?? created)
  // Reports lie where the run was: nothing here opens them.
  const results = resultsOf(facts, new Map()).map((result) => ({ ...result, reports: [] }))
  yield* present(run, facts, { home: "", results, now, json: flags.json })
})

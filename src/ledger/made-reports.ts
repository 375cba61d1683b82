import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Artifact } from "../domain/artifact.ts"
import { type Entry, data as eventData } from "../domain/event.ts"
import { Artifacts } from "../services/artifacts.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"

const succeeded = "dev.dandori.attempt.succeeded.v1"
const isSucceeded = Schema.is(eventData[succeeded])
const isGate = Schema.is(eventData["dev.dandori.gate.passed.v1"])
const hasReport = Schema.is(Schema.Struct({ report: Artifact }))
const hasReports = Schema.is(Schema.Struct({ reports: Schema.NonEmptyArray(Artifact) }))
const decodeJson = Schema.decodeEffect(Schema.fromJsonString(Schema.Unknown))

/** Whether an entry tells of a report. An output that was too large for it and cannot be read may have been one. */
const tells = Effect.fnUntraced(function* ({ data, type }: Entry) {
  if (type.startsWith("dev.dandori.gate.") && isGate(data)) return data.gate.reports.length > 0
  if (type !== succeeded || !isSucceeded(data)) return false
  const { output, outputArtifact } = data
  if (outputArtifact === undefined) return hasReport(output) || hasReports(output)
  const artifacts = yield* Artifacts
  return yield* artifacts.get(outputArtifact.sha256).pipe(
    Effect.flatMap((bytes) => decodeJson(new TextDecoder().decode(bytes))),
    Effect.map((large) => hasReport(large) || hasReports(large)),
    Effect.orElseSucceed(() => true),
  )
})

/** So many runs that made a report are known at most. */
const most = 100_000

/** The runs of a ledger of which this process has read that they made a report: an ended one changes no more. */
const known = new WeakMap<Ledger["Service"], Set<string>>()

/**
 * Whether a run that has ended made a report: a task that succeeded put out `report` or `reports`, or a gate named some. One
 * that did is read once in a process, as it stays for long; one that did not goes.
 */
export const isIn = Effect.fn("MadeReports.isIn")(function* (run: string) {
  const ledger = yield* Ledger
  const before = known.get(ledger) ?? new Set<string>()
  known.set(ledger, before)
  if (before.has(run)) return true
  const chain = yield* ledger.read(StreamName.ofRun(run)).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
  let found = false
  for (const entry of chain?.entries ?? []) found ||= yield* tells(entry)
  if (found) {
    if (before.size >= most) before.clear()
    before.add(run)
  }
  return found
})

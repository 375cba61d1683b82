import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { data as eventData } from "../domain/event.ts"
import type { HistoryRow } from "./attestation.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import * as Attestation from "./attestation.ts"
import * as RegistryProblems from "./registry-problems.ts"

/** Where registry and ledger do not bear each other out: a row without its entry, or an entry without its row. */
export interface Disagreement {
  readonly kind: "altered" | "missing"
  /** `row 3 of alias_history`, or `line 12 of runs/…`. */
  readonly at: string
  readonly problem: string
}

/** What a comparison of the two came to. */
export interface RegistryEvidence {
  readonly rows: number
  readonly entries: number
  readonly disagreements: ReadonlyArray<Disagreement>
}

const isSucceeded = Schema.is(eventData["dev.dandori.attempt.succeeded.v1"])
const isPublished = Schema.is(
  Schema.Struct({
    version: Schema.String,
    slot: Schema.String,
    deployed: Schema.Boolean,
    alreadyPublished: Schema.Literal(false),
  }),
)
const isDeployed = Schema.is(
  Schema.Struct({ version: Schema.String, slot: Schema.String, moved: Schema.Literal(true) }),
)

const isPurged = Schema.is(
  Schema.Struct({ purged: Schema.Array(Schema.Struct({ version: Schema.String, digest: Schema.String })) }),
)

/** The versions that an output says were published, deployed or purged. */
const versionsOf = (output: unknown): ReadonlyArray<string> => {
  if (isPublished(output) || isDeployed(output)) return [output.version]
  return isPurged(output) ? output.purged.map(({ version }) => version) : []
}

/** The changes of the registry that runs say they have made, each with where it says so. */
const claims = Effect.gen(function* () {
  const ledger = yield* Ledger
  const found: Array<{ readonly at: string; readonly run: string; readonly task: string; readonly version: string }> =
    []
  for (const run of yield* ledger.runs) {
    const stream = StreamName.ofRun(run)
    const chain = yield* ledger.read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
    for (const { data, sequence, type } of chain?.entries ?? []) {
      if (type !== "dev.dandori.attempt.succeeded.v1" || !isSucceeded(data)) continue
      for (const version of versionsOf(data.output)) {
        found.push({ at: `line ${sequence} of ${stream}`, run, task: data.task, version })
      }
    }
  }
  return found
})

const histories = ["model_registry_events", "alias_history", "model_files_events"] as const

/** Compares every row of the registry's histories with the ledger, and every publication in the ledger with the rows. */
export const compare = Effect.gen(function* () {
  const registry = yield* ModelRegistry
  // Before the rows: what is published meanwhile has its row by then.
  const claimed = yield* claims
  const { events, files, moves } = yield* registry.histories
  const lookUp = yield* Attestation.make(moves)
  const disagreements: Array<Disagreement> = (yield* RegistryProblems.find).map(({ history, problem, sequence }) => ({
    kind: "altered",
    at: `row ${sequence} of ${history}`,
    problem,
  }))
  const rowsOf: Readonly<Record<(typeof histories)[number], ReadonlyArray<HistoryRow>>> = {
    model_registry_events: events,
    alias_history: moves,
    model_files_events: files,
  }
  for (const history of histories) {
    for (const row of rowsOf[history]) {
      const found = yield* lookUp(row)
      if (found.attested || found.purged !== undefined) continue
      const problem =
        found.contradiction === undefined
          ? `unattested: the ledger has no entry ${row.intent.slice(0, 12)}… in run ${row.run}, by which ${row.who} made it`
          : `line ${found.line} of its run says something else: ${found.contradiction}`
      disagreements.push({ kind: "altered", at: `row ${row.sequence} of ${history}`, problem })
    }
  }
  const known = new Set([...events, ...files].map(({ run, task, version }) => `${run} ${task} ${version}`))
  for (const { at, run, task, version } of claimed) {
    if (known.has(`${run} ${task} ${version}`)) continue
    disagreements.push({
      kind: "missing",
      at,
      problem: `task ${task} says that it published, deployed or purged ${version}, but no row of the registry does`,
    })
  }
  return {
    rows: events.length + moves.length + files.length,
    entries: claimed.length,
    disagreements,
  } satisfies RegistryEvidence
})

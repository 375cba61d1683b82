import * as Effect from "effect/Effect"
import type { ChainProblem, ModelRow, RegistryEvent } from "../domain/registry.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import type { Attestation, HistoryRow } from "./attestation.ts"
import { exitCodes } from "./exit-code.ts"
import * as Output from "./output.ts"
import { plain } from "./plain-text.ts"

/** Versions whose status is not the one that the last row of their history gave them. */
const statusProblems = (
  rows: ReadonlyArray<ModelRow>,
  events: ReadonlyArray<RegistryEvent>,
): ReadonlyArray<ChainProblem> => {
  const last = new Map(events.map((event) => [event.version, event]))
  const history = "model_registry_events"
  return rows.flatMap(({ status, version }) => {
    const event = last.get(version)
    if (event?.to === status) return []
    const problem =
      event === undefined
        ? `no row says how ${version} came to be ${status}`
        : `it made ${version} ${event.to}, but the registry's list says ${status}`
    return [{ history, sequence: event?.sequence ?? 0, problem }]
  })
}

/** What in the registry is not what was written: rows of its histories, and statuses that these do not bear out. */
export const find = Effect.gen(function* () {
  const registry = yield* ModelRegistry
  const { events } = yield* registry.histories
  return [...(yield* registry.verify), ...statusProblems(yield* registry.list(), events)]
})

/** Rows whose intent is in the ledger and says something else. */
export const contradicted = (
  history: string,
  rows: ReadonlyArray<HistoryRow & { readonly attestation: Attestation }>,
): ReadonlyArray<ChainProblem> =>
  rows.flatMap(({ attestation, sequence }) =>
    attestation.attested || attestation.contradiction === undefined
      ? []
      : [
          {
            history,
            sequence,
            problem: `the ledger's entry that it names did not write it: ${attestation.contradiction}`,
          },
        ],
  )

const shown = 10

/** Says that the registry is not what was written, so that the answer cannot be relied on; ends with 10. */
export const report = Effect.fnUntraced(function* (problems: ReadonlyArray<ChainProblem>) {
  if (problems.length === 0) return
  for (const { history, sequence, problem } of problems.slice(0, shown)) {
    yield* Output.message(plain(`ALTERED: row ${sequence} of ${history}: ${problem}`))
  }
  if (problems.length > shown) yield* Output.message(`ALTERED: and ${problems.length - shown} more`)
  yield* Output.message("The registry's histories are not what was written. Compare them with a snapshot.")
  yield* Output.exitWith(exitCodes.altered)
})

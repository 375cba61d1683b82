import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { slotText } from "../domain/model.ts"
import type { ChainProblem, ModelRow, ModelStatus } from "../domain/registry.ts"
import { ModelRegistry, VersionUnknown } from "../services/model-registry.ts"
import * as Attestation from "./attestation.ts"
import * as Output from "./output.ts"
import { plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import * as RegistryProblems from "./registry-problems.ts"
import { root } from "./root.ts"
import * as SlotChoice from "./slot-choice.ts"

const noRows: ReadonlyArray<ModelRow> = []
const noProblems: ReadonlyArray<ChainProblem> = []

const rowCells = (row: ModelRow): ReadonlyArray<string> => [
  row.status === "deployed" ? "*" : "",
  row.version,
  slotText(row.slot),
  row.status,
  row.changed,
  row.digest.slice(0, 12),
  row.synthetic ? "SYNTHETIC" : "",
]

/** Lists the registered versions, newest first, of a slot and with a status where they are named. */
export const listModels = Effect.fnUntraced(function* (slotName: string | undefined, status: ModelStatus | undefined) {
  const { json, quiet } = yield* root
  const slot = slotName === undefined ? undefined : yield* SlotChoice.parse(slotName)
  const place = yield* Readers.find
  const filter = { ...(slot === undefined ? {} : { slot }), ...(status === undefined ? {} : { status }) }
  const { problems, rows } = (yield* Readers.hasRegistry(place))
    ? yield* Effect.gen(function* () {
        const rows = yield* (yield* ModelRegistry).list(filter)
        return { rows, problems: yield* RegistryProblems.find }
      }).pipe(Effect.provide(Readers.registry(place)))
    : { rows: noRows, problems: noProblems }
  yield* RegistryProblems.report(problems)
  if (json) return yield* Effect.forEach(rows, (row) => Output.json({ v: 1, kind: "model", ...row }), { discard: true })
  if (rows.length === 0) {
    const all = slot === undefined && status === undefined
    const none = all ? "No model has been registered yet." : "The registry has no such version."
    return yield* quiet ? Effect.void : Output.message(none)
  }
  if (quiet) return yield* Output.data(rows.map(({ version }) => version).join("\n"))
  const heads = ["", "version", "slot", "status", "since", "digest", ""]
  const [head = "", ...lines] = table([heads, ...rows.map(rowCells)])
  yield* Output.data([Output.dim(head, Output.colours(process.stdout)), ...lines].join("\n"))
})

const numbers = (values: Readonly<Record<string, unknown>>) =>
  Object.entries(values)
    .map(
      ([name, value]) => `${name} ${typeof value === "number" ? Number(value.toPrecision(5)) : JSON.stringify(value)}`,
    )
    .join(", ")

/** Shows all that the registry knows of a version, and whether the ledger testifies to each change. */
export const showModel = Effect.fnUntraced(function* (version: string) {
  const { json } = yield* root
  const place = yield* Readers.find
  if (!(yield* Readers.hasRegistry(place))) return yield* new VersionUnknown({ version })
  const { row, events, files, moves, problems } = yield* Effect.gen(function* () {
    const registry = yield* ModelRegistry
    const record = yield* registry.show(version)
    const lookUp = yield* Attestation.make((yield* registry.histories).moves)
    const events = yield* Effect.forEach(record.events, (event) =>
      Effect.map(lookUp(event), (attestation) => ({ ...event, attestation })),
    )
    const files = yield* Effect.forEach(record.files, (event) =>
      Effect.map(lookUp(event), (attestation) => ({ ...event, attestation })),
    )
    const contradicted = [
      ...RegistryProblems.contradicted("model_registry_events", events),
      ...RegistryProblems.contradicted("model_files_events", files),
    ]
    return { ...record, events, files, problems: [...(yield* RegistryProblems.find), ...contradicted] }
  }).pipe(Effect.provide(Layer.mergeAll(Readers.registry(place), Readers.ledger(place))))
  yield* RegistryProblems.report(problems)
  if (json) return yield* Output.json({ v: 1, kind: "model-show", model: row, events, moves, files, problems })
  const synthetic = row.synthetic ? "  SYNTHETIC" : ""
  const facts = [
    ["version", `${row.version}${synthetic}`],
    ["slot", slotText(row.slot)],
    ["status", `${row.status} since ${row.changed}: ${row.reason}`],
    ["registered", row.registered],
    ["digest", row.digest],
    ["path", row.path],
    ["metrics", numbers(row.metrics)],
    ["theta", numbers(row.theta)],
    ...row.receipts.map((receipt) => ["receipt", receipt]),
    ...row.datasets.map((dataset) => ["dataset", dataset]),
  ]
  const changes = events.map((event) => {
    const change = `${event.at}  ${event.from ?? "new"} -> ${event.to} by ${event.who}: ${event.reason}`
    return `${plain(change)}\n  intent ${Attestation.describe(event.intent, event.attestation)}`
  })
  const ofFiles = files.map((event) => {
    const change = `${event.at}  files ${event.state} by ${event.who}: ${event.reason}`
    return `${plain(change)}\n  intent ${Attestation.describe(event.intent, event.attestation)}`
  })
  yield* Output.data([...table(facts), ...changes, ...ofFiles].join("\n"))
})

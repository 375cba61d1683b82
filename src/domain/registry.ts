import * as Schema from "effect/Schema"
import * as CanonicalJson from "./canonical-json.ts"
import { Slot } from "./model.ts"
import { Segment } from "./names.ts"
import { Sha256 } from "./sha256.ts"

/** What has become of a model version. */
export const ModelStatus = Schema.Literals([
  "draft",
  "candidate",
  "approved",
  "rejected",
  "deployed",
  "rolled_back",
  "archived",
]).annotate({ identifier: "ModelStatus" })
export type ModelStatus = typeof ModelStatus.Type

/**
 * draft ─> candidate ─> approved ─> deployed ─> archived ─> deployed   (a rollback goes to an archived version)
 *               └─> rejected         └─> rolled_back ─> approved       (taken out for cause: to be approved again)
 */
const transitions: Readonly<Record<ModelStatus, ReadonlyArray<ModelStatus>>> = {
  draft: ["candidate"],
  candidate: ["approved", "rejected"],
  approved: ["deployed", "rejected", "archived"],
  rejected: ["archived"],
  deployed: ["rolled_back", "archived"],
  rolled_back: ["approved", "archived"],
  archived: ["deployed"],
}

/** The statuses that may follow. */
export const successors = (from: ModelStatus): ReadonlyArray<ModelStatus> => transitions[from]

/** True when a version may go from one status to the other. */
export const mayBecome = (from: ModelStatus, to: ModelStatus): boolean => transitions[from].includes(to)

/** A time in UTC with milliseconds, `2025-05-05T03:14:00.000Z`: sorts as text. */
const Time = Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/))

/** Who changes the registry, why, and the ledger entry that testifies to it. */
export const Warrant = Schema.Struct({
  who: Schema.String,
  reason: Schema.String,
  intent: Sha256.annotate({ description: "entry hash of the intent (`attempt.started`, or of the command's own)" }),
  run: Schema.String,
  task: Schema.String,
  key: Schema.String.annotate({ description: "idempotency key: the same for every attempt of the task in the run" }),
})
export type Warrant = typeof Warrant.Type

/** A version that is put into the registry. `theta` is its thresholds with their history; `path` as displayed. */
export const NewModel = Schema.Struct({
  version: Segment,
  slot: Slot,
  digest: Sha256,
  path: Schema.String,
  theta: Schema.Record(Schema.String, Schema.Unknown),
  metrics: Schema.Record(Schema.String, Schema.Finite),
  datasets: Schema.Array(Sha256),
  receipts: Schema.Array(Sha256),
  synthetic: Schema.Boolean,
})
export type NewModel = typeof NewModel.Type

/** A row of the registry. */
export const ModelRow = Schema.Struct({
  ...NewModel.fields,
  status: ModelStatus,
  reason: Schema.String.annotate({ description: "of the last change of status" }),
  registered: Time,
  changed: Time,
}).annotate({ identifier: "ModelRow" })
export type ModelRow = typeof ModelRow.Type

const chained = {
  sequence: Schema.Int,
  ...Warrant.fields,
  at: Time,
  previousHash: Sha256,
  hash: Sha256,
}

/** One row of the audit table: a version changed its status. `from` is null when it was registered. */
export const RegistryEvent = Schema.Struct({
  ...chained,
  version: Segment,
  digest: Sha256,
  from: Schema.NullOr(ModelStatus),
  to: ModelStatus,
}).annotate({ identifier: "RegistryEvent" })
export type RegistryEvent = typeof RegistryEvent.Type

/** One row of the alias history: `champion` of a slot moved. `version` is null when the slot was left without. */
export const AliasMove = Schema.Struct({
  ...chained,
  slot: Schema.String,
  alias: Schema.Literal("champion"),
  version: Schema.NullOr(Segment),
  digest: Schema.NullOr(Sha256),
  from: Schema.NullOr(Segment),
  receipt: Schema.NullOr(Sha256).annotate({ description: "digest of the envelope that let the version pass" }),
}).annotate({ identifier: "AliasMove" })
export type AliasMove = typeof AliasMove.Type

/**
 * What becomes of the files of a version; a version that has no such row has its files.
 *
 *   whole ──due──> whole, marked ──purging──> being renamed away and removed ──purged──> gone
 *     └────kept──────────┘
 */
export const FilesState = Schema.Literals(["due", "kept", "purging", "purged"]).annotate({ identifier: "FilesState" })
export type FilesState = typeof FilesState.Type

const filesStates: Readonly<Record<FilesState, ReadonlyArray<FilesState | undefined>>> = {
  due: [undefined, "kept"],
  kept: ["due"],
  purging: ["due"],
  purged: ["purging"],
}

/** True when the files of a version may go from one state to the other. */
export const filesMayBecome = (from: FilesState | undefined, to: FilesState): boolean => filesStates[to].includes(from)

/** True when the files of a version are gone, or about to be: nothing may be served from them any more. */
export const filesGo = (state: FilesState | undefined): boolean => state === "purging" || state === "purged"

/** One row of the history of the versions' files. The row of the version and its histories stay for ever. */
export const FilesEvent = Schema.Struct({
  ...chained,
  version: Segment,
  digest: Sha256,
  state: FilesState,
  bytes: Schema.Int.annotate({ description: "size of the files" }),
}).annotate({ identifier: "FilesEvent" })
export type FilesEvent = typeof FilesEvent.Type

/** What is to be told to others, delivered at least once after the transaction that wrote it. */
export const OutboxMessage = Schema.Struct({ kind: Schema.String, payload: Schema.Unknown })
export type OutboxMessage = typeof OutboxMessage.Type

/** A message that waits for its delivery. */
export const PendingMessage = Schema.Struct({ id: Schema.Int, ...OutboxMessage.fields, created: Time })
export type PendingMessage = typeof PendingMessage.Type

/** `previousHash` of the first row of a history. */
export const genesis = "0".repeat(64) as Sha256

/** Hash of a history's row: SHA-256 over its canonical JSON without `hash`. */
export const rowHash = (row: Readonly<Record<string, unknown>>): Sha256 => {
  const { hash: _, ...rest } = row
  return CanonicalJson.digest(rest)
}

/** A place where a history is not what was written. */
export interface ChainProblem {
  readonly history: string
  readonly sequence: number
  readonly problem: string
}

/** The rows of a history that were changed, taken out or put in; rows in ascending sequence. */
export const checkChain = (
  history: string,
  rows: ReadonlyArray<RegistryEvent | AliasMove | FilesEvent>,
): ReadonlyArray<ChainProblem> => {
  const problems: Array<ChainProblem> = []
  let last = { sequence: 0, hash: genesis }
  for (const row of rows) {
    const found = (problem: string) => problems.push({ history, sequence: row.sequence, problem })
    if (row.sequence !== last.sequence + 1) found(`${row.sequence - last.sequence - 1} rows before it are missing`)
    else if (row.previousHash !== last.hash) found("it does not name the row before it")
    if (rowHash(row) !== row.hash) found("its contents are not what its hash says")
    last = row
  }
  return problems
}

/** The versions that a slot may go back to: those that its champion took the place of, or the last one where it has none. */
export const rollbackTargets = (
  moves: ReadonlyArray<Pick<AliasMove, "version" | "from">>,
  champion: string | undefined,
): ReadonlyArray<string> => {
  const last = moves.findLast(({ version }) => version !== null)?.version
  if (champion === undefined) return last === undefined || last === null ? [] : [last]
  return moves.flatMap(({ from, version }) => (version === champion && from !== null ? [from] : []))
}

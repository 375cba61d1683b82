import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { PipelineId } from "./names.ts"

/**
 * A durable stop sign that keeps new work from starting: of all pipelines, or of those in its scope. `epoch` grows with
 * each cordon of the project; times are milliseconds since the epoch.
 */
export const Cordon = Schema.Struct({
  id: Schema.String,
  epoch: Schema.Int,
  owner: Schema.String,
  reason: Schema.String,
  raised: Schema.Int,
  scope: Schema.optionalKey(Schema.Array(PipelineId).check(Schema.isMinLength(1))),
  expires: Schema.optionalKey(Schema.Int),
})
export type Cordon = typeof Cordon.Type

/** What somebody says who raises one. */
export type Given = Omit<Cordon, "epoch" | "raised">

/** Who wants to start work: a run of a pipeline, and the incident that it carries as its param `incident`. */
export interface Starter {
  readonly pipeline: string
  readonly incident?: string
}

/** What repairs passes every cordon: a rollback, and a run that carries the incident's id, which is the cordon's. */
const passes = ({ id }: Cordon, { incident, pipeline }: Starter): boolean => pipeline === "rollback" || incident === id

/** Whether a cordon keeps somebody from starting work at a time. Without a starter: whether it keeps anything. */
export const holds = (cordon: Cordon, now: number, starter?: Starter): boolean =>
  (cordon.expires === undefined || now < cordon.expires) &&
  (starter === undefined ||
    (!passes(cordon, starter) && (cordon.scope === undefined || cordon.scope.includes(starter.pipeline))))

/** What stands for cordons that cannot be read: it holds everything. */
export const unreadable = (id: string, reason: string, what = "the cordon"): Cordon => ({
  id,
  epoch: 0,
  owner: "nobody",
  reason: `${what} cannot be read, which counts as raised: ${reason}`,
  raised: 0,
})

/** Whether it stands for what cannot be read. */
export const isUnreadable = ({ epoch }: Cordon): boolean => epoch === 0

const CordonText = Schema.fromJsonString(Cordon)
const decode = Schema.decodeUnknownOption(CordonText)

/** The JSON text of a cordon, as it is kept. */
export const toText = Schema.encodeSync(CordonText)

/** The cordon that is kept under an id; what is none, or another's, counts as raised. */
export const fromText = (id: string, text: string): Cordon => {
  const cordon = Option.getOrElse(decode(text), () => unreadable(id, "it is no cordon"))
  return cordon.id === id ? cordon : unreadable(id, `it says that it is ${cordon.id}`)
}

/** Whether both tell of the same raise; an id can be raised again once it was lifted. */
export const isSame = (one: Cordon, other: Cordon): boolean =>
  one.id === other.id && one.owner === other.owner && one.raised === other.raised

/** The epoch of one that comes after these. */
export const nextEpoch = (all: ReadonlyArray<Cordon>): number => Math.max(0, ...all.map(({ epoch }) => epoch)) + 1

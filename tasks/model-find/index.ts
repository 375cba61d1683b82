import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { ModelVersion, slotOf, slotText } from "../../src/domain/model.ts"
import { Segment } from "../../src/domain/names.ts"
import { type ModelRow, ModelStatus, mayBecome } from "../../src/domain/registry.ts"
import { ModelRegistry, VersionUnknown } from "../../src/services/model-registry.ts"

/** Which version is meant. */
export const Input = Schema.Struct({
  slot: Schema.String.annotate({ description: "a pair and a timeframe, like EURUSD-GBPUSD/1h" }),
  which: Schema.optionalKey(Schema.Literals(["champion", "previous"])).annotate({
    description: "the deployed version (default), or the one that it took the place of",
  }),
  version: Schema.optionalKey(Schema.String).annotate({
    description: "this one; with previous, only one that was deployed before and is not now; empty: none is named",
  }),
}).annotate({ identifier: "ModelFindInput" })

/** A version as the registry knows it. */
export const Output = Schema.Struct({
  ...ModelVersion.fields,
  slot: Schema.String,
  status: ModelStatus,
  path: Schema.String,
  champion: Schema.NullOr(Segment).annotate({ description: "the version that is deployed in the slot now" }),
}).annotate({ identifier: "FoundModel" })

/** The slot has no such version. */
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()("ModelNotFound", {
  slot: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.slot}: ${this.reason}. See what there is: dandori model history`
  }
}

const find = Effect.fn("model-find.run")(function* ({ slot: text, version, which }: typeof Input.Type) {
  const registry = yield* ModelRegistry
  const slot = slotOf(text)
  const none = (reason: string) => new ModelNotFound({ slot: text, reason })
  if (slot === undefined) return yield* none("this is no slot; write a pair and a timeframe, like EURUSD-GBPUSD/1h")
  const champion = Option.getOrUndefined(yield* registry.champion(slot))
  const named = Effect.fnUntraced(function* (wanted: string) {
    const row = Option.getOrUndefined(yield* registry.find(wanted))
    if (row === undefined) return yield* new VersionUnknown({ version: wanted })
    return slotText(row.slot) === text ? row : yield* none(`${wanted} is of ${slotText(row.slot)}`)
  })
  /** A version that may be champion again; those that may, where it may not. */
  const again = Effect.fnUntraced(function* (row: ModelRow) {
    // Without a champion the version that was taken out is what was before: model-deploy says what it lacks.
    if (champion === undefined || mayBecome(row.status, "deployed")) return row
    const deployed = new Set((yield* registry.history(slot)).map((one) => one.version))
    const others = (yield* registry.list({ slot })).filter(
      (one) => deployed.has(one.version) && mayBecome(one.status, "deployed"),
    )
    const named = others.map((one) => one.version).join(", ")
    const instead =
      named === "" ? "no other one was deployed before: release one" : `name another one, --param to=VERSION: ${named}`
    return yield* none(`${row.version} is ${row.status}, and so not what to go back to; ${instead}`)
  })
  const goBackTo = Effect.fnUntraced(function* (wanted: string) {
    const row = yield* named(wanted)
    if (row.version === champion?.version)
      return yield* none(`${wanted} is champion now: there is nothing to go back to`)
    const moves = yield* registry.history(slot)
    return moves.some((one) => one.version === row.version)
      ? yield* again(row)
      : yield* none(`${wanted} is ${row.status} and was never deployed: release it instead of going back to it`)
  })
  const previous = Effect.gen(function* () {
    const moves = yield* registry.history(slot)
    // Of the moves that made the champion what it is, the last one says what it took the place of.
    const move = moves.findLast(
      (one) => one.version !== null && (champion === undefined || one.version === champion.version),
    )
    const before = champion === undefined ? move?.version : move?.from
    return before === undefined || before === null
      ? yield* none("no version was deployed before")
      : yield* again(yield* named(before))
  })
  const row =
    version !== undefined && version !== ""
      ? yield* which === "previous" ? goBackTo(version) : named(version)
      : which === "previous"
        ? yield* previous
        : (champion ?? (yield* none("no version is deployed")))
  return {
    version: row.version,
    digest: row.digest,
    slot: text,
    status: row.status,
    path: row.path,
    champion: champion?.version ?? null,
  }
})

/** Looks a version up in the registry: the champion of a slot, the one before it, or one by its name. */
export default taskType({
  type: "model-find",
  version: 1,
  description: "Finds a version in the registry: the champion of a slot, the one before it, or one by its name",
  input: Input,
  output: Output,
  errors: {
    ModelNotFound: "the slot has no such version",
    RegistryUnavailable: "the registry cannot be reached",
    VersionUnknown: "the registry has no such version",
  },
  effects: "idempotent",
  dryRun: (input) => Effect.map(find(input), ({ status, version }) => `${version}, which is ${status}`),
  run: find,
})

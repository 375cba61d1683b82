import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Cordon, type Given, holds, nextEpoch, type Starter } from "../domain/cordon.ts"
import * as CordonFiles from "./cordon-files.ts"
import type { FileFailed } from "./durable-files.ts"

/** There is no cordon of this id. */
export class CordonMissing extends Schema.TaggedError<CordonMissing>()("CordonMissing", {
  id: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  override get message() {
    const known = this.known.length === 0 ? "none is raised" : `raised are ${this.known.join(", ")}`
    return `There is no cordon ${this.id}; ${known}`
  }
}

/** A cordon of this id stands already; `unseen` says why it could not be seen whether it stands everywhere. */
export class CordonTaken extends Schema.TaggedError<CordonTaken>()("CordonTaken", {
  id: Schema.String,
  epoch: Schema.Int,
  unseen: Schema.optionalKey(Schema.String),
}) {
  override get message() {
    return `A cordon ${this.id} is raised already; lift it first, or take another name`
  }
}

/** A cordon could be raised nowhere, or may still stand somewhere after it was to be lifted. */
export class CordonFailed extends Schema.TaggedError<CordonFailed>()("CordonFailed", {
  id: Schema.String,
  to: Schema.Literals(["raise", "lift"]),
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    const why = this.problems.join("; ")
    return this.to === "raise"
      ? `The cordon ${this.id} could be raised nowhere: ${why}`
      : `The cordon ${this.id} may still stand: ${why}. Lift it again when that is mended`
  }
}

/** A cordon that stands now; `degraded` says where it does not, and why: there nobody is kept by it. */
export interface Raised extends Cordon {
  readonly degraded?: string
}

/** The cordons of a project, and of those that share its database. One that cannot be read counts as raised, for everything. */
export class Cordons extends Context.Service<
  Cordons,
  {
    /** All that stand, expired ones too, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Cordon>>
    /**
     * Looks once, for any number of starters: gives the oldest one that keeps a starter from starting work now. What was
     * looked up is good for 50 ms in the project's folder, and for 500 ms in its database.
     */
    readonly look: Effect.Effect<(starter: Starter) => Option.Option<Cordon>>
    /** As `look`, for one starter. */
    readonly against: (starter: Starter) => Effect.Effect<Option.Option<Cordon>>
    /** Raises one; where an earlier raise of this id came only to the project's folder, that one comes to the database. */
    readonly raise: (given: Given) => Effect.Effect<Raised, FileFailed | CordonTaken | CordonFailed>
    readonly lift: (id: string) => Effect.Effect<Cordon, FileFailed | CordonMissing | CordonFailed>
  }
>()("dandori/services/Cordons") {}

/** The first of them that keeps the starter from starting work at a time. */
export const firstAgainst = (cordons: ReadonlyArray<Cordon>, now: number, starter: Starter): Option.Option<Cordon> =>
  Option.fromNullishOr(cordons.find((cordon) => holds(cordon, now, starter)))

const make = (root: string) => {
  const files = CordonFiles.make(root)
  const look = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.map(files.recent, (cordons) => (starter: Starter) => firstAgainst(cordons, now, starter)),
  )
  return Cordons.of({
    list: files.list,
    look,
    against: (starter) => Effect.map(look, (found) => found(starter)),
    raise: Effect.fnUntraced(function* (given) {
      const cordon: Cordon = { ...given, epoch: nextEpoch(yield* files.list), raised: yield* Clock.currentTimeMillis }
      if (!(yield* files.create(cordon))) {
        const there = (yield* files.list).find(({ id }) => id === given.id)
        return yield* new CordonTaken({ id: given.id, epoch: there?.epoch ?? 0 })
      }
      return cordon
    }),
    lift: Effect.fnUntraced(function* (id) {
      const all = yield* files.list
      const found = all.find((cordon) => cordon.id === id)
      if (found === undefined) return yield* new CordonMissing({ id, known: all.map((cordon) => cordon.id) })
      yield* files.remove(id)
      return found
    }),
  })
}

/** Cordons as files in a folder. */
export const layer = (root: string): Layer.Layer<Cordons> => Layer.sync(Cordons, () => make(root))

/** No cordon at all. */
export const layerNone: Layer.Layer<Cordons> = Layer.succeed(Cordons, {
  list: Effect.succeed([]),
  look: Effect.succeed(() => Option.none()),
  against: () => Effect.succeedNone,
  raise: () => Effect.never,
  lift: (id) => Effect.fail(new CordonMissing({ id, known: [] })),
})

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as OpsFlags from "../domain/ops-flags.ts"
import type { Sha256 } from "../domain/sha256.ts"

const outcome = {
  no: "Nothing was changed",
  unknown: "It may have been done: dandori ops status shows the flags, and to ask again is safe",
  yes: "The flags are changed, but nobody was told",
} as const

/** What keeps the signals could not be reached, was lost, or refused. `applied`: whether what was asked is done. */
export class SignalsUnavailable extends Schema.TaggedError<SignalsUnavailable>()("SignalsUnavailable", {
  /** What keeps them, like `Redis at 10.0.0.5:6379`; never its password. */
  where: Schema.String,
  reason: Schema.String,
  applied: Schema.Literals(["no", "unknown", "yes"]),
  transient: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  get notApplied() {
    return this.applied === "no"
  }
  override get message() {
    return `${this.where}: ${this.reason}. ${outcome[this.applied]}`
  }
}

/** The operations flags are there and cannot be read, or are not there: they count as halted. */
export class FlagsUnreadable extends Schema.TaggedError<FlagsUnreadable>()("FlagsUnreadable", {
  where: Schema.String,
  key: Schema.String,
  field: Schema.String,
  reason: Schema.String,
  unset: Schema.Boolean,
}) {
  readonly notApplied = true
  override get message() {
    return `The operations flags (${this.key}, ${this.where}) cannot be read, which counts as halted: ${this.field}: ${this.reason}`
  }
}

/** The flags are no longer those that somebody saw when they asked for the change. */
export class FlagsMoved extends Schema.TaggedError<FlagsMoved>()("FlagsMoved", { operation: Schema.String }) {
  readonly notApplied = true
  override get message() {
    return `The flags have changed since ${this.operation} was asked for, so nothing was done. Look at dandori ops status and ask again`
  }
}

/** The flags do not let one act, or cannot be looked at, which is the same. */
export class Halted extends Schema.TaggedError<Halted>()("Halted", {
  reason: Schema.String,
  /** False where the flags could not be read. */
  readable: Schema.Boolean,
}) {
  override get message() {
    return `Halted: ${this.reason}`
  }
}

/** A look at the flags: what they say, or why they cannot be read, and the digest of how they are stored. */
export interface Seen {
  readonly flags: Result.Result<OpsFlags.OpsFlags, FlagsUnreadable>
  readonly digest: Sha256
}

/** What is kept of a change beside itself. */
export interface Note {
  readonly reason: string
  /** What makes it, like `dandori ops halt by ada on trader-1`. */
  readonly source: string
}

/** A change that was made. `changed` is false where the flags said so before; others were told all the same. */
export interface Changed extends Seen {
  readonly changed: boolean
  readonly updated_at: string
}

/**
 * Signals between processes: the operations flags, and messages on channels. Messages reach those who listen; the flags
 * stay. Whoever acts on the world asks `mayAct` first, which lets nobody pass where the flags cannot be read.
 */
export class Signals extends Context.Service<
  Signals,
  {
    readonly look: Effect.Effect<Seen, SignalsUnavailable>
    /** Gives the flags to one who may act (on a pair, where one is named); every other answer, and none, is `Halted`. */
    readonly mayAct: (pair?: string) => Effect.Effect<OpsFlags.OpsFlags, Halted>
    /**
     * Changes the flags and tells the operations channel, in one step: of changes at the same time none is lost. With
     * `seen`, the digest of an earlier look, only while the flags are still what they were then.
     */
    readonly change: (
      change: OpsFlags.OpsChange,
      note: Note,
      seen?: Sha256,
    ) => Effect.Effect<Changed, SignalsUnavailable | FlagsUnreadable | FlagsMoved>
    /** Sends a message to those who listen to a channel now. */
    readonly publish: (channel: string, message: Schema.JsonObject) => Effect.Effect<void, SignalsUnavailable>
    /**
     * Listens to a channel: succeeds, within the configured `subscribe_timeout`, once nothing is missed any more. The
     * stream fails when the connection is lost, since messages may be lost with it: look at the flags and listen again.
     */
    readonly subscribe: (
      channel: string,
    ) => Effect.Effect<Stream.Stream<string, SignalsUnavailable>, SignalsUnavailable, Scope.Scope>
  }
>()("dandori/services/Signals") {}

/** A look at flags as they are stored at a key of something. */
export const seen = (where: string, key: string, stored: OpsFlags.Stored): Seen => ({
  flags: Result.mapError(OpsFlags.read(stored), (fault) => new FlagsUnreadable({ where, key, ...fault })),
  digest: OpsFlags.digest(stored),
})

/** Who may act by a look at the flags. */
export const mayAct =
  (look: Effect.Effect<Seen, SignalsUnavailable>): Signals["Service"]["mayAct"] =>
  (pair) =>
    look.pipe(
      Effect.flatMap(({ flags }) => Effect.fromResult(flags)),
      Effect.mapError(({ _tag, message }) => {
        const unseen = "the operations flags cannot be read, which counts as halted: "
        return new Halted({ readable: false, reason: _tag === "FlagsUnreadable" ? message : unseen + message })
      }),
      Effect.flatMap((flags) => {
        const reason = OpsFlags.against(flags, pair)
        return reason === undefined ? Effect.succeed(flags) : Effect.fail(new Halted({ readable: true, reason }))
      }),
    )

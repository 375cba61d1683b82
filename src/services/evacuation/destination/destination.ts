import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Option from "effect/Option"
import { Sha256 } from "../../../domain/sha256.ts"
import type { Reading, SourceFailed } from "../sources/reading.ts"

/** A destination did not take or confirm something. `refused`: it is not to be trusted with anything (exit code 15). */
export class DestinationFailed extends Schema.TaggedError<DestinationFailed>()("DestinationFailed", {
  location: Schema.String,
  operation: Schema.String,
  key: Schema.String,
  reason: Schema.String,
  transient: Schema.Boolean,
  refused: Schema.Boolean,
  /** Other bytes lie under the key, and stay: what they are. */
  there: Schema.optionalKey(Schema.Struct({ bytes: Schema.Int, sha256: Sha256 })),
}) {
  override get message() {
    return `${this.location}: could not ${this.operation} ${this.key === "" ? "" : `${this.key} `}there: ${this.reason}`
  }
}

/** What a destination confirmed of an object: digest and size as it has them, and the sizes of the parts that it digested. */
export interface Confirmed {
  readonly key: string
  readonly bytes: number
  readonly sha256: Sha256
  readonly parts?: ReadonlyArray<number>
  /** What the destination says of an object in parts: the digest of the parts' digests, in base64, and their number. */
  readonly checksum?: string
  /** Bytes that went over the wire for it now: less than `bytes` where parts or all of it were there already. */
  readonly sent: number
  /** The last reading's end. */
  readonly end: Effect.Success<Reading["end"]>
}

/** What is asked of an object. `lock`: it gets the rung's lock. */
export interface PutRequest {
  readonly key: string
  readonly lock: boolean
  /** Opens the source from its beginning; called again where it changed while it was read, up to three times. */
  readonly open: Effect.Effect<Reading, SourceFailed, Scope.Scope>
}

/**
 * One rung of the ladder, opened and tried: a small object was written, read back and compared, and what is asked of locks
 * is there. Objects are created and never replaced; `latest` alone moves.
 */
export interface Destination {
  readonly name: string
  readonly location: string
  /** False for a place on this machine. */
  readonly away: boolean
  /** True where to confirm an object is to read its bytes back, since the place digests nothing that could be asked for. */
  readonly readsBack?: boolean
  /** How many bytes a piece of a reading should have. */
  readonly pieceBytes: number
  /**
   * Takes an object. The same bytes there already are no conflict; parts that an earlier try left are not sent again. What
   * is returned was confirmed by digest.
   */
  readonly put: (request: PutRequest) => Effect.Effect<Confirmed, DestinationFailed | SourceFailed>
  /** What the destination says now of an object that it confirmed; `read` reads its bytes back instead of asking. */
  readonly confirm: (
    object: {
      readonly key: string
      readonly bytes: number
      readonly sha256: Sha256
      readonly parts?: ReadonlyArray<number>
      readonly checksum?: string
    },
    how: "ask" | "read",
  ) => Effect.Effect<
    { readonly confirmed: true } | { readonly confirmed: false; readonly reason: string },
    DestinationFailed
  >
  readonly get: (key: string) => Effect.Effect<Option.Option<Uint8Array>, DestinationFailed>
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<string>, DestinationFailed>
  /**
   * Makes the object at `to` a copy of one that is there, over what `to` was: of all objects only those of the layout
   * `mirror` are replaced. What is returned was compared by digest.
   */
  readonly copy: (
    object: { readonly key: string; readonly bytes: number; readonly sha256: Sha256 },
    to: string,
  ) => Effect.Effect<void, DestinationFailed>
  /** The pointer `latest`, and its move from what was read: false where somebody else moved it meanwhile. */
  readonly pointer: Effect.Effect<
    Option.Option<{ readonly bytes: Uint8Array; readonly tag: string }>,
    DestinationFailed
  >
  readonly movePointer: (bytes: Uint8Array, from: Option.Option<string>) => Effect.Effect<boolean, DestinationFailed>
}

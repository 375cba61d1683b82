import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Redaction, SourceFile } from "../../../domain/collected.ts"
import type { Pushed } from "../../../domain/pushed.ts"
import type { Sha256 } from "../../../domain/sha256.ts"

/** A source that cannot be read (any more): what is to be listed as not taken. */
export class SourceFailed extends Schema.TaggedError<SourceFailed>()("SourceFailed", {
  source: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `${this.source} cannot be taken: ${this.reason}`
  }
}

/** Bytes of a source in a buffer that belongs to the taker until it is released. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly release: () => void
}

/** A source that is read once, from the beginning to the end, and not again. */
export interface Reading {
  /** How it looked when it was opened. */
  readonly seen: Pushed["seen"]
  /** The next piece: `pieceBytes` long, or shorter where it is the last; undefined when there is no more. */
  readonly next: Effect.Effect<Piece | undefined, SourceFailed>
  /**
   * After the last piece: whether the source changed while it was read, and for a redacted one the size and digest of the
   * source itself and what was replaced.
   */
  readonly end: Effect.Effect<
    {
      readonly changed: boolean
      readonly original?: { readonly bytes: number; readonly sha256: Sha256 }
      readonly redactions?: ReadonlyArray<Redaction>
    },
    SourceFailed
  >
}

/** Opens a source; its lines go through the redaction rules where it says so. `rate` is bytes a second. */
export type OpenReading = (file: SourceFile, pieceBytes: number) => Effect.Effect<Reading, SourceFailed, Scope.Scope>

import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"
import type { ErrorData } from "../domain/event.ts"
import type { Statement } from "../domain/receipt.ts"
import type { Sha256 } from "../domain/sha256.ts"

/** The ledger could not be read. */
export class EvidenceError extends Schema.TaggedError<EvidenceError>()("EvidenceError", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The ledger's evidence cannot be read: ${this.reason}`
  }
}

/** A receipt for some bytes, and whether it holds. */
export interface FoundReceipt {
  readonly statement: Statement
  readonly artifact: Artifact
  /** Undefined when the signature is by our key and the event is in the ledger; else why it does not hold. */
  readonly problem: string | undefined
}

/** Head of the ledger's root stream. */
export interface LedgerHead {
  readonly entries: number
  readonly hash: Sha256
}

/** What was found in a copy of a ledger: `problems` is empty when it is intact and reaches the head. */
export interface LedgerCopyReport {
  readonly streams: number
  readonly entries: number
  readonly problems: ReadonlyArray<string>
}

/** What tasks may read of the ledger. */
export class Evidence extends Context.Service<
  Evidence,
  {
    /** All receipts that name these bytes as a subject, newest first, each verified. */
    readonly receiptsFor: (subject: Sha256) => Effect.Effect<ReadonlyArray<FoundReceipt>, EvidenceError>
    /**
     * Why receipts that are indexed under these bytes cannot be read, each by its digest: their own bytes are gone or are
     * not what was written. What such a receipt said is not known.
     */
    readonly unreadable: (subject: Sha256) => Effect.Effect<ReadonlyArray<string>, EvidenceError>
    /** True when an entry with this hash stands in the stream of the run. */
    readonly holds: (run: string, entry: Sha256) => Effect.Effect<boolean, EvidenceError>
    /** The encoded output of a task of a run, from its `attempt.succeeded`; none where it has not succeeded. */
    readonly outputOf: (run: string, task: string) => Effect.Effect<Option.Option<unknown>, EvidenceError>
    /** The error of a task's last attempt in a run, where it has failed; `GateFailed` where its gate said so. */
    readonly failureOf: (run: string, task: string) => Effect.Effect<Option.Option<ErrorData>, EvidenceError>
    /** The head of the root stream. */
    readonly head: Effect.Effect<LedgerHead, EvidenceError>
    /** Writes the ledger's streams and checkpoints into a folder as segment files, wherever they lie. */
    readonly copyTo: (folder: string) => Effect.Effect<void, EvidenceError>
    /** Verifies a copy in a folder, of this ledger or of another, and that its root has the entry of this head. */
    readonly verifyFolder: (folder: string, head: LedgerHead) => Effect.Effect<LedgerCopyReport, EvidenceError>
    /** Ed25519 signature by the ledger's key over the bytes, and the key's id. */
    readonly sign: (
      bytes: Uint8Array,
    ) => Effect.Effect<{ readonly keyid: string; readonly signature: Uint8Array }, EvidenceError>
    /** The public key in PEM (SubjectPublicKeyInfo). */
    readonly publicKey: Effect.Effect<string, EvidenceError>
  }
>()("dandori/services/Evidence") {}

import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Actor } from "../domain/actor.ts"
import type { Event } from "../domain/event.ts"
import type { Audit } from "../domain/plan.ts"
import type { StoreSize } from "../services/folder-size.ts"
import type * as Chain from "./chain.ts"
import type { LedgerFailed, StreamBusy, StreamDamaged, StreamEnded, StreamMissing, StreamMoved } from "./errors.ts"
import type { RootTestimonies } from "./root-testimonies.ts"
import type { Head } from "./sealing.ts"
import type * as StreamWriter from "./stream-writer.ts"

/** A stream opened for going on: what it holds, and its writer. */
export interface Opened {
  readonly chain: Chain.Chain
  readonly writer: StreamWriter.StreamWriter
}

/** How a stream is written, where it is not as the ledger does by itself. */
export interface Writing {
  readonly audit?: Audit | undefined
  /** Longest time to a flush that nobody waits for, milliseconds. */
  readonly flushMillis?: number
}

/** Why a stream cannot be written. */
export type OpenError = StreamBusy | StreamDamaged | LedgerFailed

/** A checkpoint as it is kept: how many entries of the root it covers, and its text. */
export interface KeptCheckpoint {
  /** `checkpoints/<size>.txt`. */
  readonly name: string
  /** Where it is, for people. */
  readonly place: string
  readonly size: number
  readonly text: string
}

/** What is wrong with how streams are kept, beyond their bytes. */
export interface Disorder {
  /** Names of what is no stream. */
  readonly strays: ReadonlyArray<string>
  readonly misplaced: ReadonlyArray<{
    readonly stream: string
    readonly line: number
    readonly offset: number
    readonly reason: string
  }>
}

/** A head that something was decided on; `bytes`: where it ends, by who has read the stream so far. */
export type After = Head & { readonly bytes?: number }

/** Append-only streams of sealed events: segment files (`ledger-segments.ts`) or a table of PostgreSQL (`ledger-postgres.ts`). */
export class Ledger extends Context.Service<
  Ledger,
  {
    /**
     * Opens a new stream, held by this process until the scope closes. With `audit: best-effort` its writer is patient as
     * soon as something of it is durable.
     */
    readonly create: (
      stream: string,
      writing?: Writing,
    ) => Effect.Effect<StreamWriter.StreamWriter, OpenError, Scope.Scope>
    /**
     * Opens an existing stream, cutting back what a crash left torn at its end; the cut is recorded. A run whose file
     * does not fit what the root says of it is damaged; one that the root has closed is not opened any more.
     */
    readonly reopen: (
      stream: string,
      writing?: Writing,
    ) => Effect.Effect<Opened, OpenError | StreamEnded | StreamMissing, Scope.Scope>
    /** Reads a stream without holding it. */
    readonly read: (stream: string) => Effect.Effect<Chain.Chain, LedgerFailed | StreamMissing>
    /**
     * The bytes of a stream from one of them on, nothing of them checked: lines of NDJSON, the last perhaps torn, or cut
     * where only a part is asked for: at least `least` bytes where there are so many, and not much more.
     */
    readonly bytes: (
      stream: string,
      from?: number,
      least?: number,
    ) => Effect.Effect<Uint8Array, LedgerFailed | StreamMissing>
    /** True while a process writes the stream. */
    readonly owned: (stream: string) => Effect.Effect<boolean, LedgerFailed>
    /** The ids of the runs that have a stream, oldest first. */
    readonly runs: Effect.Effect<ReadonlyArray<string>, LedgerFailed>
    /** What lies among the streams and is none, and entries that lie where they do not belong, though their bytes are right. */
    readonly disorder: Effect.Effect<Disorder, LedgerFailed>
    /** How much all of it takes, with checkpoints: bytes, and the number of files or streams. */
    readonly size: Effect.Effect<StoreSize, LedgerFailed>
    /** Appends to `root` or `system`, in the name of who acts, under a lock held for that one append; durable on return. */
    readonly record: (stream: "root" | "system", events: ReadonlyArray<Event>) => Effect.Effect<void, OpenError>
    /** The streams of schedules, one of each environment that has any. */
    readonly schedules: Effect.Effect<ReadonlyArray<string>, LedgerFailed>
    /**
     * Appends to a stream of schedules what was decided on its head `after`; fails with `StreamMoved`, and nothing is
     * written, where that is not its head any more. The head after each event; durable on return. `by` says of each event
     * who acted, where that is not whom the ledger was opened for.
     */
    readonly extend: (
      stream: string,
      after: After,
      events: ReadonlyArray<Event>,
      by?: ReadonlyArray<Actor | undefined>,
    ) => Effect.Effect<ReadonlyArray<StreamWriter.Appended>, OpenError | StreamMoved>
    /** What the root says of the streams. It is read once; from then on only what was added to it. */
    readonly testimonies: Effect.Effect<RootTestimonies, LedgerFailed | StreamDamaged>
    /** The checkpoint that covers most. */
    readonly newestCheckpoint: Effect.Effect<KeptCheckpoint | undefined, LedgerFailed>
    /** The checkpoints, smallest first. */
    readonly checkpoints: Effect.Effect<ReadonlyArray<KeptCheckpoint>, LedgerFailed>
    /** Keeps a checkpoint. Durable on return. */
    readonly keepCheckpoint: (size: number, text: string) => Effect.Effect<void, LedgerFailed>
    /** Takes a finished stream as it is: nobody writes it any more. */
    readonly seal: (stream: string) => Effect.Effect<void, LedgerFailed>
    /**
     * Removes a run's stream that the root says was purged; refuses any other, and one that a process holds. One that is
     * gone already changes nothing.
     */
    readonly remove: (stream: string) => Effect.Effect<void, LedgerFailed | StreamBusy | StreamDamaged>
    /** Removes what is left of a run's stream that holds no whole entry, that the root does not name and no process holds. */
    readonly discard: (stream: string) => Effect.Effect<void, LedgerFailed | StreamDamaged>
  }
>()("dandori/ledger/Ledger") {}

import type { Event } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import type { Fault } from "./faults.ts"

/** An event with the wall clock's time, as the core folds it. */
export type Timed = Event & { readonly time: number }

/** How a process's hold on a run ended. */
export type LifeEnd = "killed" | "stopped" | "ledger lost" | "waits" | "finished" | "stuck"

/** What became of a tick of the schedule. */
export type Outcome = "ran" | "skipped" | "coalesced" | "missed"

/** What happened, seen from outside. Sequences are those of the run's stream. */
export type Happening =
  /** A process took the run up, with a plan; `sequence` is how far the ledger went. */
  | {
      readonly _tag: "TakenUp"
      readonly run: string
      readonly life: number
      readonly plan: Sha256
      readonly sequence: number
    }
  | {
      readonly _tag: "Appended"
      readonly run: string
      readonly sequence: number
      readonly event: Timed
      readonly line?: string
    }
  | { readonly _tag: "FlushBegun" | "Flushed" | "Acknowledged"; readonly run: string; readonly sequence: number }
  /** A task's work began; `durable` is how far the ledger was on the disk at that moment. */
  | {
      readonly _tag: "WorkBegun"
      readonly run: string
      readonly task: string
      readonly attempt: number
      readonly durable: number
      /** Digests of the bytes that it makes public, by the gate that let them through. */
      readonly publishes: Readonly<Record<string, Sha256>>
    }
  /** The world was changed by a task that is not pure. */
  | { readonly _tag: "Effect"; readonly run: string; readonly task: string; readonly attempt: number }
  /** A process let go of the run; `sequence` is what the disk kept, `torn` the bytes of a last line without its end. */
  | {
      readonly _tag: "LetGo"
      readonly run: string
      readonly life: number
      readonly how: LifeEnd
      readonly sequence: number
      readonly torn: number
    }
  | { readonly _tag: "Fault"; readonly fault: Fault; readonly run: string; readonly text: string }
  | {
      readonly _tag: "TickClosed"
      readonly tick: number
      readonly outcome: Outcome
      readonly reason: string
      readonly run?: string
    }

/** A happening with its place: `at` is virtual milliseconds since the beginning. */
export type Moment = Happening & { readonly number: number; readonly at: number }

/** An event that is in the ledger at the end, and the moment at which it was appended. */
export interface Kept {
  readonly moment: number
  readonly sequence: number
  readonly event: Timed
}

/** A run as it was at the end. */
export interface RunTrace {
  readonly run: string
  readonly plan: Plan
  readonly durability: "fsync" | "batched"
  readonly kept: ReadonlyArray<Kept>
  /** The stream's text; undefined where nothing was sealed. */
  readonly text: string | undefined
  /** Whether it ended; false where it would have gone on for ever. */
  readonly ended: boolean
}

/** All that happened in one simulation. */
export interface Trace {
  readonly seed: number
  readonly moments: ReadonlyArray<Moment>
  readonly runs: ReadonlyArray<RunTrace>
  /** The wall clock's first and last moment of the schedule; undefined where one run was made without it. */
  readonly window: { readonly from: number; readonly to: number } | undefined
  readonly plan: Plan
  readonly flushInterval: number
  /** Virtual milliseconds from the beginning to the end. */
  readonly millis: number
}

/** Writes down what happens. */
export interface Notes {
  readonly note: (happening: Happening) => Moment
}

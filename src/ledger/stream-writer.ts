import * as Effect from "effect/Effect"
import type { Actor } from "../domain/actor.ts"
import type { Event } from "../domain/event.ts"
import type { AppendFile } from "../services/append-file.ts"
import type { FileFailed } from "../services/durable-files.ts"
import type { Behind, News, PatientFile } from "../services/patient-file.ts"
import { EventTooLarge } from "./errors.ts"
import { type Author, type Head, seal } from "./sealing.ts"

/** Longest line of a stream, in characters. What may be large in an event is limited or an artifact long before that. */
export const largestEvent = 16 * 2 ** 20

/** The head after an event, the event's time in milliseconds since the epoch, and the `authid` of who wrote it. */
export interface Appended extends Head {
  readonly time: number
  readonly by: string
}

/** The one writer of a stream. Appending never waits; `durable` waits until all that was appended so far is flushed. */
export interface StreamWriter {
  readonly stream: string
  /**
   * Seals and appends; returns the head after the event. `subject` defaults to the stream's own, `by` to the writer's
   * author. Throws `EventTooLarge`, and then nothing has changed.
   */
  readonly append: (event: Event, subject?: string, by?: Actor) => Appended
  readonly head: () => Head
  /** Waits for the flush of everything appended before the call; a patient writer that is behind does not wait. */
  readonly durable: Effect.Effect<void, FileFailed>
  /** As `durable`; a patient writer that is behind tries once more, and gives what is missing. */
  readonly settled: Effect.Effect<Behind | undefined, FileFailed>
  /** Tells one listener when a patient writer falls behind and when it has caught up. */
  readonly watch: (listener: (news: News) => void) => void
  /** Waits until the stream can take no more. */
  readonly broken: Effect.Effect<FileFailed>
  readonly flushes: () => number
}

/** The sources of a writer that a simulation swaps. */
export interface WriterContext {
  readonly author: Author
  readonly now: () => number
  readonly uuid: () => string
}

/** A writer that goes on from `head` into `file`. */
export const make = (
  stream: string,
  subject: string,
  head: Head,
  file: AppendFile & Partial<PatientFile>,
  context: WriterContext,
): StreamWriter => {
  let current = head
  const durable = Effect.suspend(() => file.flushed(file.end()))
  return {
    stream,
    append: (event, eventSubject, by) => {
      const time = context.now()
      const meta = { id: context.uuid(), subject: eventSubject ?? subject, time }
      const author = by === undefined ? context.author : { ...context.author, ...by }
      const sealed = seal(current, author, event, meta)
      if (sealed.line.length > largestEvent) {
        throw new EventTooLarge({ stream, type: event.type, characters: sealed.line.length, limit: largestEvent })
      }
      current = sealed.head
      file.append(sealed.line)
      return { ...current, time, by: author.authid }
    },
    head: () => current,
    durable,
    settled: file.settled ?? Effect.as(durable, undefined),
    watch: (listener) => file.watch?.(listener),
    broken: file.broken,
    flushes: file.flushes,
  }
}

/** A file that keeps nothing: for runs that need no record (simulation, benchmarks). */
export const nowhere = (): AppendFile => {
  let end = 0
  return {
    append: (text) => (end += text.length),
    flushed: () => Effect.void,
    end: () => end,
    synced: () => end,
    flushes: () => 0,
    broken: Effect.never,
  }
}

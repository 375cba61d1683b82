import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { DoomedContainer, NearMiss, Remaining, Stop, StopSignal } from "../../../domain/stopped.ts"
import { Stopped } from "../../../domain/stopped.ts"
import { bootId } from "../../process-records.ts"
import { type IncidentFolder, readDocument, writeDocument } from "../incident/incidents.ts"
import * as Facts from "./process-facts.ts"
import { keyOf, type Member } from "./process-pack.ts"

const fileName = "stopped.json"
const encode = Schema.encodeSync(Stopped)

/** What was written of an incident's stop; None where nothing was. */
export const read = ({ path }: Pick<IncidentFolder, "path">): Effect.Effect<Option.Option<Stopped>> =>
  readDocument(path, fileName, Stopped)

/** True when a stop's outcome was not written and it is of this boot, so that some of it may live. */
const isOpen = (book: Stopped, stop: Stop): boolean => stop.ended === undefined && book.boot === bootId()

/** Those of a target whose stop has no outcome, and who live. */
export const leftOf = (book: Stopped, target: string): ReadonlyArray<Member> =>
  book.stops
    .filter((stop) => isOpen(book, stop) && stop.target === target)
    .flatMap(({ processes }) => processes)
    .flatMap((process) => {
      const row = Facts.living(process)
      return row === undefined ? [] : [{ row, why: process.why }]
    })

const written = ({ row, why }: Member) => ({
  pid: row.pid,
  started: row.started,
  parent: row.parent,
  group: row.group,
  program: Facts.programOf(row.pid),
  why,
})

/**
 * `stopped.json` while it is written. What a call that was killed left open goes on under its own entry: its members are
 * known by it, even those that nobody would find any more.
 */
export const open = Effect.fnUntraced(function* (folder: IncidentFolder, by: string) {
  const before = Option.getOrUndefined(yield* read(folder))
  const boot = bootId()
  let book: Stopped = {
    format: "dandori-stopped/1",
    by,
    drill: folder.incident.drill,
    boot,
    done: false,
    // Nothing outlives the machine.
    stops: (folder.incident.drill ? [] : (before?.stops ?? [])).map((stop) =>
      stop.ended === undefined && before?.boot !== boot ? { ...stop, ended: stop.began } : stop,
    ),
    near: [],
    remaining: [],
  }
  const save = Effect.suspend(() => writeDocument(folder.path, fileName, encode(book)))
  const change = (at: number, stop: Stop) => {
    book = { ...book, stops: book.stops.with(at, stop) }
  }
  return {
    /** Everything that is written by now. */
    now: () => book,
    /** Where the entry of a target is that has no outcome; a new one where there is none. */
    begin: Effect.fnUntraced(function* (target: string, containers: ReadonlyArray<DoomedContainer>) {
      const found = book.stops.findIndex((stop) => stop.target === target && stop.ended === undefined)
      const began = yield* Clock.currentTimeMillis
      if (found >= 0) {
        change(found, { ...book.stops[found], containers })
        return found
      }
      const stop: Stop = { by, target, began, processes: [], containers, signals: [], remaining: [] }
      book = { ...book, stops: [...book.stops, stop] }
      return book.stops.length - 1
    }),
    /** Writes down who is to be stopped; durable on return. */
    intend: (at: number, members: ReadonlyArray<Member>) => {
      const stop = book.stops[at]
      const known = new Set(stop.processes.map(keyOf))
      const added = members.filter(({ row }) => !known.has(keyOf(row)))
      change(at, { ...stop, processes: [...stop.processes, ...added.map(written)] })
      return save
    },
    /** Writes down who got a signal. It was sent: that this cannot be written changes nothing. */
    sent: (at: number, signal: StopSignal, pids: ReadonlyArray<number>) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const stop = book.stops[at]
        change(at, { ...stop, signals: [...stop.signals, { signal, at: now, pids }] })
        return Effect.ignore(save)
      }),
    /** Writes down what a stop came to. */
    end: (at: number, remaining: ReadonlyArray<Remaining>) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        change(at, { ...book.stops[at], ended: now, remaining })
        return Effect.ignore(save)
      }),
    /** Adds what a drill would have stopped. */
    list: (target: string, containers: ReadonlyArray<DoomedContainer>, members: ReadonlyArray<Member>) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const processes = members.map(written)
        const times = { began: now, ended: now }
        book = {
          ...book,
          stops: [...book.stops, { by, target, ...times, processes, containers, signals: [], remaining: [] }],
        }
      }),
    /** Closes the entries of a target that nobody is left of. */
    close: (target: string) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const stops = book.stops.map((stop) =>
          stop.target === target && stop.ended === undefined ? { ...stop, ended: now } : stop,
        )
        book = { ...book, stops }
      }),
    /** Writes down that all is done, and what remains. */
    finish: (near: ReadonlyArray<NearMiss>, remaining: ReadonlyArray<Remaining>) => {
      book = { ...book, done: true, near, remaining }
      return Effect.as(save, book)
    },
  }
})

/** `stopped.json` of one call. */
export type Book = Effect.Success<ReturnType<typeof open>>

import type { Head } from "../ledger/sealing.ts"
import type { Chance } from "./chance.ts"
import type { Faults } from "./faults.ts"
import type { Timeline } from "./timeline.ts"
import type { Kept, LifeEnd, Notes, Timed } from "./trace.ts"

/** An entry on its way to the disk: the head after it, and its line where it was sealed. */
interface Written extends Kept {
  readonly head: Head
  readonly line: string
}

interface Waiter {
  readonly sequence: number
  readonly onDone: (durable: boolean) => void
}

/**
 * The file of one stream on a virtual disk, with group commit as `AppendFile` has it. What was flushed stays; of the
 * rest a crash keeps some, perhaps with a torn last line.
 */
export interface Disk {
  /** Begins to write, after the end that the last writer left; gives and removes what a crash left torn there. */
  readonly open: () => { readonly entries: ReadonlyArray<Written>; readonly torn: string }
  readonly append: (event: Timed, head: Head, line: string) => void
  /** Calls back when all that was appended so far is on the disk, or when it cannot get there. */
  readonly flushed: (onDone: (durable: boolean) => void) => void
  /** How many entries are on the disk for sure. */
  readonly durable: () => number
  /** Ends writing. A process that is stopped flushes what it has. */
  readonly close: (how: LifeEnd) => { readonly sequence: number; readonly torn: number }
  readonly entries: () => ReadonlyArray<Written>
  readonly text: () => string
}

/**
 * What a disk needs around it. `early` is a writer that calls durable what is not; a `patient` one keeps what a full disk
 * does not take, and tries again with each entry and when somebody waits.
 */
export interface Options {
  readonly run: string
  readonly timeline: Timeline
  readonly chance: Chance
  readonly faults: Faults
  readonly notes: Notes
  readonly interval: number
  readonly early: boolean
  readonly patient: boolean
}

/** How often there is room again when a patient writer tries. */
const mended = 0.3

/** Most times that the disk of one stream is full, so that a run ends some day. */
const mostFull = 20

export const make = (options: Options): Disk => {
  const { chance, faults, interval, notes, run, timeline } = options
  const entries: Array<Written> = []
  let torn = ""
  let durable = 0
  let full = 0
  // Of the writer that has the file open:
  let writer = 0
  let broken: { readonly written: number } | undefined
  let busy = false
  let queued = false
  let timer = false
  let waiters: Array<Waiter> = []

  const settle = () => {
    const ready = waiters.filter(({ sequence }) => broken !== undefined || sequence <= durable)
    waiters = waiters.filter((waiter) => !ready.includes(waiter))
    const own = writer
    for (const { sequence, onDone } of ready) {
      if (own !== writer) return
      if (sequence <= durable) notes.note({ _tag: "Acknowledged", run, sequence })
      onDone(sequence <= durable)
    }
  }
  const later = (millis: number, act: () => void) => {
    const own = writer
    timeline.after(millis, () => {
      if (own === writer) act()
    })
  }
  const flush = () => {
    const covers = entries.length
    if (busy || broken !== undefined || durable >= covers) return
    busy = true
    notes.note({ _tag: "FlushBegun", run, sequence: covers })
    if (full < mostFull && chance.hits(faults["disk-full"])) {
      full++
      const written = durable + chance.draw(covers - durable)
      notes.note({ _tag: "Fault", fault: "disk-full", run, text: `of ${covers} entries ${written} are written` })
      return later(1, () => {
        broken = { written }
        if (options.patient) busy = false
        settle()
      })
    }
    const slow = chance.hits(faults["slow-disk"])
    const millis = slow ? chance.millis(1_000, 20_000) : chance.millis(1, 4)
    if (slow) notes.note({ _tag: "Fault", fault: "slow-disk", run, text: `a flush takes ${millis} ms` })
    later(millis, () => {
      busy = false
      durable = covers
      notes.note({ _tag: "Flushed", run, sequence: covers })
      const own = writer
      settle()
      if (own === writer) pump()
    })
  }
  /** Those that are woken together append together: they share the flush. Nobody waits longer than the interval. */
  const pump = () => {
    if (waiters.length > 0) {
      if (queued) return
      queued = true
      later(0, () => {
        queued = false
        flush()
      })
    } else if (durable < entries.length && !timer) {
      timer = true
      later(interval, () => {
        timer = false
        flush()
      })
    }
  }
  const tryAgain = () => {
    if (broken !== undefined && options.patient && chance.hits(mended)) broken = undefined
  }
  return {
    open: () => {
      writer++
      broken = undefined
      busy = queued = timer = false
      waiters = []
      const left = torn
      torn = ""
      return { entries, torn: left }
    },
    append: (event, head, line) => {
      const { number } = notes.note({ _tag: "Appended", run, sequence: head.sequence, event, line })
      entries.push({ moment: number, sequence: head.sequence, event, head, line })
      tryAgain()
      if (!busy && waiters.length === 0) pump()
    },
    flushed: (onDone) => {
      const sequence = entries.length
      tryAgain()
      if (options.early || sequence <= durable || broken !== undefined) {
        const ok = options.early || sequence <= durable
        if (ok) notes.note({ _tag: "Acknowledged", run, sequence })
        return later(0, () => onDone(ok))
      }
      waiters.push({ sequence, onDone })
      pump()
    },
    durable: () => durable,
    close: (how) => {
      writer++
      const limit = broken?.written ?? entries.length
      const whole = how === "killed" ? durable + chance.draw(limit - durable + 1) : limit
      const next = entries[whole]
      if (how === "killed" && whole < limit && next.line !== "" && chance.hits(0.5)) {
        torn = next.line.slice(0, chance.draw(next.line.length))
      }
      entries.length = whole
      durable = whole
      return { sequence: whole, torn: torn.length }
    },
    entries: () => entries,
    text: () => entries.map(({ line }) => line).join("") + torn,
  }
}

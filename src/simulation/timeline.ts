/** Something that will be done at a moment. */
interface Due {
  readonly at: number
  readonly order: number
  readonly act: () => void
}

/** Virtual time: a monotonic clock that jumps to whatever is due next, and a wall clock that people can set. */
export interface Timeline {
  /** Milliseconds since the beginning; never goes back. */
  readonly now: () => number
  /** What the wall clock shows, milliseconds since the epoch. */
  readonly wall: () => number
  /** Sets the wall clock forward or back. */
  readonly step: (millis: number) => void
  /** Does something so many milliseconds later. What is due at one moment is done in the order in which it was asked. */
  readonly after: (millis: number, act: () => void) => void
  /** Does the next thing; false when nothing is left. */
  readonly next: () => boolean
}

const before = (a: Due, b: Due) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A timeline whose wall clock shows `start` at its beginning. */
export const make = (start: number): Timeline => {
  const heap: Array<Due> = []
  let now = 0
  let offset = start
  let order = 0
  const push = (due: Due) => {
    let at = heap.push(due) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(due, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = due
  }
  const pop = (): Due | undefined => {
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return first
  }
  return {
    now: () => now,
    wall: () => now + offset,
    step: (millis) => void (offset += millis),
    after: (millis, act) => push({ at: now + Math.max(0, Math.round(millis)), order: order++, act }),
    next: () => {
      const due = pop()
      if (due === undefined) return false
      now = due.at
      due.act()
      return true
    },
  }
}

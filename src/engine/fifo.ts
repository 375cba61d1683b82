/** An immutable first-in-first-out queue: two lists, constant amortised time. */
export interface Fifo<A> {
  readonly front: Cell<A> | null
  readonly back: Cell<A> | null
  readonly size: number
}

interface Cell<A> {
  readonly value: A
  readonly next: Cell<A> | null
}

export const empty: Fifo<never> = { front: null, back: null, size: 0 }

export const isEmpty = (queue: Fifo<unknown>): boolean => queue.size === 0

export const push = <A>(queue: Fifo<A>, value: A): Fifo<A> =>
  queue.size === 0
    ? { front: { value, next: null }, back: null, size: 1 }
    : { front: queue.front, back: { value, next: queue.back }, size: queue.size + 1 }

/** The queue without its first element; the empty queue stays empty. */
export const pop = <A>(queue: Fifo<A>): Fifo<A> => {
  if (queue.size <= 1 || queue.front === null) return empty
  if (queue.front.next !== null) return { front: queue.front.next, back: queue.back, size: queue.size - 1 }
  let front: Cell<A> | null = null
  for (let cell = queue.back; cell !== null; cell = cell.next) front = { value: cell.value, next: front }
  return { front, back: null, size: queue.size - 1 }
}

function* each<A>(queue: Fifo<A>): Generator<A> {
  for (let cell = queue.front; cell !== null; cell = cell.next) yield cell.value
  const rest: Array<A> = []
  for (let cell = queue.back; cell !== null; cell = cell.next) rest.push(cell.value)
  for (let i = rest.length - 1; i >= 0; i--) yield rest[i]
}

/** The elements in order, as they are asked for. */
export const values = <A>(queue: Fifo<A>): Iterable<A> => (queue.size === 0 ? [] : each(queue))

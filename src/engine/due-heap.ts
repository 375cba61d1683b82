/** An immutable min-heap of tasks by due time (a skew heap: O(log n) amortised). */
export interface DueHeap {
  readonly due: number
  readonly task: number
  readonly left: DueHeap | null
  readonly right: DueHeap | null
}

/** Sleator and Tarjan, "Self-Adjusting Heaps" (1986): merge and swap the children. */
export const merge = (a: DueHeap | null, b: DueHeap | null): DueHeap | null => {
  if (a === null) return b
  if (b === null) return a
  const [small, large] = a.due < b.due || (a.due === b.due && a.task <= b.task) ? [a, b] : [b, a]
  return { due: small.due, task: small.task, left: merge(large, small.right), right: small.left }
}

export const insert = (heap: DueHeap | null, due: number, task: number): DueHeap | null =>
  merge(heap, { due, task, left: null, right: null })

export const pop = (heap: DueHeap): DueHeap | null => merge(heap.left, heap.right)

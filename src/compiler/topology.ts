/** A loop of ids, each needing the next, or the ids in topological order with ties in byte order. */
export type Order = { readonly order: ReadonlyArray<string> } | { readonly cycle: ReadonlyArray<string> }

/** Kahn's algorithm over levels: all tasks that are free at once come sorted by id. */
export const sort = (tasks: ReadonlyMap<string, { readonly needs: ReadonlyArray<string> }>): Order => {
  const waiting = new Map<string, number>()
  const dependents = new Map<string, Array<string>>()
  let level: Array<string> = []
  for (const [id, { needs }] of tasks) {
    let inside = 0
    for (const need of needs) {
      if (!tasks.has(need)) continue
      inside++
      const list = dependents.get(need)
      if (list === undefined) dependents.set(need, [id])
      else list.push(id)
    }
    waiting.set(id, inside)
    if (inside === 0) level.push(id)
  }
  const order: Array<string> = []
  while (level.length > 0) {
    level.sort()
    const next: Array<string> = []
    for (const id of level) {
      order.push(id)
      for (const dependent of dependents.get(id) ?? []) {
        const left = (waiting.get(dependent) ?? 0) - 1
        waiting.set(dependent, left)
        if (left === 0) next.push(dependent)
      }
    }
    level = next
  }
  if (order.length === tasks.size) return { order }
  const stuck = new Set([...waiting].filter(([, left]) => left > 0).map(([id]) => id))
  const path: Array<string> = []
  let at = [...stuck].toSorted()[0]
  while (!path.includes(at)) {
    path.push(at)
    at = tasks.get(at)?.needs.find((need) => stuck.has(need)) ?? at
  }
  return { cycle: [...path.slice(path.indexOf(at)), at] }
}

/** A loop of ids, each needing the next, or the ids in topological order with ties in byte order. */
export type Order = { readonly order: ReadonlyArray<string> } | { readonly cycle: ReadonlyArray<string> }

type Tasks = ReadonlyMap<string, { readonly needs: ReadonlyArray<string> }>

const cycleAmong = (tasks: Tasks, stuck: ReadonlySet<string>): ReadonlyArray<string> => {
  const path: Array<string> = []
  let at = [...stuck].toSorted()[0]
  while (!path.includes(at)) {
    path.push(at)
    at = tasks.get(at)?.needs.find((need) => stuck.has(need)) ?? at
  }
  return [...path.slice(path.indexOf(at)), at]
}

/** Kahn's algorithm over levels: all tasks that are free at once come sorted by id. */
export const sort = (tasks: Tasks): Order => {
  const ids = [...tasks.keys()]
  const numbers = new Map<string, number>()
  for (let i = 0; i < ids.length; i++) numbers.set(ids[i], i)
  const waiting = new Int32Array(ids.length)
  const dependents: Array<Array<number> | undefined> = Array.from({ length: ids.length })
  let level: Array<string> = []
  let at = 0
  for (const { needs } of tasks.values()) {
    for (const need of needs) {
      const number = numbers.get(need)
      if (number === undefined) continue
      waiting[at]++
      const list = dependents[number]
      if (list === undefined) dependents[number] = [at]
      else list.push(at)
    }
    if (waiting[at] === 0) level.push(ids[at])
    at++
  }
  const order: Array<string> = []
  while (level.length > 0) {
    level.sort()
    const next: Array<string> = []
    for (const id of level) {
      order.push(id)
      for (const dependent of dependents[numbers.get(id) ?? -1] ?? []) {
        waiting[dependent]--
        if (waiting[dependent] === 0) next.push(ids[dependent])
      }
    }
    level = next
  }
  if (order.length === tasks.size) return { order }
  return { cycle: cycleAmong(tasks, new Set(ids.filter((_, i) => waiting[i] > 0))) }
}

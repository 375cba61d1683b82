/** What stands in an order: it comes after all that it needs. */
interface Node {
  readonly id: string
  readonly needs: ReadonlyArray<string>
}

/** Nodes in topological order with ties in byte order, or a loop of ids, each needing the next. */
export type Order<N> = { readonly order: ReadonlyArray<N> } | { readonly cycle: ReadonlyArray<string> }

const cycleAmong = (stuck: ReadonlyMap<string, Node>): ReadonlyArray<string> => {
  const path: Array<string> = []
  let at = [...stuck.keys()].toSorted()[0]
  while (!path.includes(at)) {
    path.push(at)
    at = stuck.get(at)?.needs.find((need) => stuck.has(need)) ?? at
  }
  return [...path.slice(path.indexOf(at)), at]
}

/** How many needs each node waits for, and which nodes wait for it, by their numbers. Needs that no node is are left out. */
const edges = (nodes: ReadonlyArray<Node>) => {
  const waiting = new Int32Array(nodes.length)
  const dependents = new Map<number, Array<number>>()
  const numbers = nodes.some(({ needs }) => needs.length > 0) ? new Map(nodes.map(({ id }, i) => [id, i])) : undefined
  if (numbers === undefined) return { waiting, dependents }
  for (let at = 0; at < nodes.length; at++) {
    for (const need of nodes[at].needs) {
      const number = numbers.get(need)
      if (number === undefined) continue
      waiting[at]++
      const list = dependents.get(number)
      if (list === undefined) dependents.set(number, [at])
      else list.push(at)
    }
  }
  return { waiting, dependents }
}

/** Kahn's algorithm over levels: all nodes that are free at once come sorted by id. */
export const sort = <N extends Node>(nodes: ReadonlyArray<N>): Order<N> => {
  const { dependents, waiting } = edges(nodes)
  const byId = (a: number, b: number) => (nodes[a].id < nodes[b].id ? -1 : 1)
  let level: Array<number> = []
  for (let at = 0; at < nodes.length; at++) if (waiting[at] === 0) level.push(at)
  const order: Array<N> = []
  while (level.length > 0) {
    if (level.length > 1) level.sort(byId)
    const next: Array<number> = []
    for (const at of level) {
      order.push(nodes[at])
      for (const dependent of dependents.get(at) ?? []) if (--waiting[dependent] === 0) next.push(dependent)
    }
    level = next
  }
  if (order.length === nodes.length) return { order }
  return { cycle: cycleAmong(new Map(nodes.flatMap((node, at) => (waiting[at] > 0 ? [[node.id, node]] : [])))) }
}

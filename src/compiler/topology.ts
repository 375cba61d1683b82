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

/**
 * How many needs each node waits for, and which nodes wait for it, by their numbers: those of node `n` are
 * `dependents` from `starts[n]` to `starts[n + 1]`. Needs that no node is are left out.
 */
const edges = (nodes: ReadonlyArray<Node>) => {
  const waiting = new Int32Array(nodes.length)
  const starts = new Int32Array(nodes.length + 1)
  if (nodes.every(({ needs }) => needs.length === 0)) return { waiting, starts, dependents: new Int32Array(0) }
  const numbers = new Map<string, number>()
  for (let at = 0; at < nodes.length; at++) numbers.set(nodes[at].id, at)
  const pairs: Array<number> = []
  for (let at = 0; at < nodes.length; at++) {
    for (const need of nodes[at].needs) {
      const number = numbers.get(need)
      if (number === undefined) continue
      waiting[at]++
      starts[number + 1]++
      pairs.push(number, at)
    }
  }
  for (let at = 0; at < nodes.length; at++) starts[at + 1] += starts[at]
  const dependents = new Int32Array(pairs.length / 2)
  const filled = starts.slice()
  for (let i = 0; i < pairs.length; i += 2) dependents[filled[pairs[i]]++] = pairs[i + 1]
  return { waiting, starts, dependents }
}

/** Kahn's algorithm over levels: all nodes that are free at once come sorted by id. */
export const sort = <N extends Node>(nodes: ReadonlyArray<N>): Order<N> => {
  const { dependents, starts, waiting } = edges(nodes)
  const byId = (a: number, b: number) => (nodes[a].id < nodes[b].id ? -1 : 1)
  let [level, next]: [Array<number>, Array<number>] = [[], []]
  for (let at = 0; at < nodes.length; at++) if (waiting[at] === 0) level.push(at)
  const order: Array<N> = []
  while (level.length > 0) {
    if (level.length > 1) level.sort(byId)
    for (const at of level) {
      order.push(nodes[at])
      for (let i = starts[at]; i < starts[at + 1]; i++) if (--waiting[dependents[i]] === 0) next.push(dependents[i])
    }
    ;[level, next] = [next, level]
    next.length = 0
  }
  if (order.length === nodes.length) return { order }
  return { cycle: cycleAmong(new Map(nodes.flatMap((node, at) => (waiting[at] > 0 ? [[node.id, node]] : [])))) }
}

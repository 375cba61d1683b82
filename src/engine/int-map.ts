/**
 * An immutable map from whole numbers (from 0 on) to values that are not undefined: a tree of nodes of 32, as in Bagwell,
 * "Ideal Hash Trees" (2001), with the number itself for its hash. A change copies one node of each level.
 */
export interface IntMap<A> {
  /** Levels below the root; one covers 32 numbers, each further one 32 times as many. */
  readonly depth: number
  readonly root: Node<A>
}

type Node<A> = ReadonlyArray<Node<A> | A | undefined>

const bits = 5
const width = 1 << bits
const mask = width - 1
/** Numbers below this fit a tree of six levels without a sign bit. */
const limit = 2 ** 30

const nothing: Node<never> = Array.from({ length: width }, () => undefined)

export const empty: IntMap<never> = { depth: 0, root: nothing }

const covers = (depth: number, key: number): boolean => key >>> (bits * depth) < width

/** The value of a number; undefined where it has none. */
export const get = <A>({ depth, root }: IntMap<A>, key: number): A | undefined => {
  if (!(key >= 0 && key < limit) || !covers(depth, key)) return undefined
  let node = root
  for (let shift = bits * depth; shift > 0; shift -= bits) {
    const next = node[(key >>> shift) & mask]
    if (next === undefined) return undefined
    node = next as Node<A>
  }
  return node[key & mask] as A | undefined
}

const changed = <A>(node: Node<A>, shift: number, key: number, value: A): Node<A> => {
  const copy = node.slice()
  const at = (key >>> shift) & mask
  copy[at] = shift === 0 ? value : changed((node[at] ?? nothing) as Node<A>, shift - bits, key, value)
  return copy
}

/** The map with a value for a number. */
export const set = <A>(map: IntMap<A>, key: number, value: A): IntMap<A> => {
  if (!(key >= 0 && key < limit)) throw new RangeError(`${key} is no key of an IntMap`)
  let { depth, root } = map
  while (!covers(depth, key)) {
    root = [root, ...nothing.slice(1)]
    depth++
  }
  return { depth, root: changed(root, bits * depth, key, value) }
}

/** Numbers and values, in ascending order. */
export const entries = <A>({ depth, root }: IntMap<A>): ReadonlyArray<readonly [number, A]> => {
  const found: Array<readonly [number, A]> = []
  const walk = (node: Node<A>, shift: number, base: number): void => {
    node.forEach((item, at) => {
      if (item === undefined) return
      const key = base + (at << shift)
      if (shift === 0) found.push([key, item as A])
      else walk(item as Node<A>, shift - bits, key)
    })
  }
  walk(root, bits * depth, 0)
  return found
}

import type { LeaseRequest } from "./leases.ts"

/** One thing of a request: how much of it, and how much there is by the asking process's configuration. */
export interface Want {
  readonly name: string
  readonly amount: number
  readonly size: number
}

/** A want of another request, as it stands in the queue. */
export interface Entry extends Want {
  readonly ticket: number
  readonly priority: number
  readonly held: boolean
}

/** Where a request stands in the queue: by priority, highest first, then by ticket. */
export interface Place {
  readonly ticket: number
  readonly priority: number
}

/** What a request lacks, and the entries because of which it does. */
export interface Lack<E extends Entry> {
  readonly name: string
  readonly holders: ReadonlyArray<E>
  /** Requests that wait and come first. */
  readonly earlier: ReadonlyArray<E>
}

/** A request as wants, in the order of their names. */
export const wantsOf = ({ capacity, resources }: Pick<LeaseRequest, "capacity" | "resources">): ReadonlyArray<Want> =>
  [
    { name: "cpu", amount: resources.cpu ?? 0, size: capacity.cpu },
    { name: "gpu", amount: resources.gpu ?? 0, size: capacity.gpu },
    ...[...new Set(resources.locks)].toSorted().map((lock) => ({ name: `lock ${lock}`, amount: 1, size: 1 })),
    { name: "memory", amount: resources.memory ?? 0, size: capacity.memory },
    ...Object.entries(resources.pools ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([pool, amount]) => ({ name: `pool ${pool}`, amount, size: capacity.pools[pool] ?? 0 })),
  ].filter(({ amount }) => amount > 0)

const before = (a: Place, b: Place): boolean =>
  a.priority === b.priority ? a.ticket < b.ticket : a.priority > b.priority

/** Sums of fractions of a processor differ in their last bits. */
const tolerance = 1e-6

/**
 * What a request would have to wait for, among the other entries; none when it may have all that it wants. What
 * earlier requests wait for is kept for them as if they held it, within their own sizes too: so a later request
 * never delays an earlier one, and may still use what the earlier ones leave.
 */
export const lacks = <E extends Entry>(
  place: Place,
  wants: ReadonlyArray<Want>,
  entries: ReadonlyArray<E>,
): ReadonlyArray<Lack<E>> =>
  wants.flatMap(({ amount, name, size }) => {
    const others = entries.filter((entry) => entry.name === name && entry.ticket !== place.ticket)
    const holders = others.filter(({ held }) => held)
    const earlier = others.filter((entry) => !entry.held && before(entry, place))
    const taken = [...holders, ...earlier].reduce((sum, entry) => sum + entry.amount, 0)
    const room = Math.min(size, ...earlier.map((entry) => entry.size))
    return taken + amount > room + tolerance ? [{ name, holders, earlier }] : []
  })

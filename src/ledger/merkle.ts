/** A node of the tree: 32 bytes. */
export type Hash = Uint8Array

const sha256 = (data: Uint8Array | string): Hash => {
  const hash = new Uint8Array(32)
  Bun.CryptoHasher.hash("sha256", data, hash)
  return hash
}

/** Hash of a leaf: SHA-256(0x00 || data), RFC 6962 section 2.1. Text counts as UTF-8. */
export const leaf = (data: Uint8Array | string): Hash =>
  sha256(typeof data === "string" ? `\0${data}` : Buffer.concat([Uint8Array.of(0), data]))

/** What a node's hash is of: 0x01 and its two children. */
const pair = Uint8Array.of(1, ...Array.from({ length: 64 }, () => 0))

const node = (left: Hash, right: Hash): Hash => {
  pair.set(left, 1)
  pair.set(right, 33)
  return sha256(pair)
}

/** The next level up; a node without a sibling goes up as it is. This gives RFC 6962's split at powers of two. */
const levelAbove = (level: ReadonlyArray<Hash>): ReadonlyArray<Hash> => {
  const above: Array<Hash> = []
  for (let i = 0; i + 1 < level.length; i += 2) above.push(node(level[i], level[i + 1]))
  if (level.length % 2 === 1) above.push(level[level.length - 1])
  return above
}

/** Tree hash over leaf hashes (RFC 6962 section 2.1); of no leaves, SHA-256 of nothing. */
export const treeHash = (leaves: ReadonlyArray<Hash>): Hash => {
  let level = leaves
  while (level.length > 1) level = levelAbove(level)
  return level[0] ?? sha256("")
}

/** A tree that grows by leaves and keeps only the roots of its full subtrees, largest first: one for each bit of its size. */
export interface Frontier {
  readonly size: number
  readonly roots: ReadonlyArray<Hash>
}

/** The tree of no leaves. */
export const emptyFrontier: Frontier = { size: 0, roots: [] }

/** The tree with one more leaf. */
export const grown = ({ roots, size }: Frontier, leafHash: Hash): Frontier => {
  let at = roots.length
  let hash = leafHash
  for (let full = size; full % 2 === 1; full = (full - 1) / 2) hash = node(roots[--at], hash)
  return { size: size + 1, roots: [...roots.slice(0, at), hash] }
}

/** Its tree hash, as `treeHash` of all of its leaves. */
export const frontierHash = ({ roots }: Frontier): Hash =>
  roots.length === 0 ? sha256("") : roots.reduceRight((right, left) => node(left, right))

/** Audit path of the leaf at `index` (from 0), lowest sibling first (RFC 6962 section 2.1.1). */
export const inclusionProof = (leaves: ReadonlyArray<Hash>, index: number): ReadonlyArray<Hash> => {
  const proof: Array<Hash> = []
  let level = leaves
  let at = index
  while (level.length > 1) {
    const sibling = level[at ^ 1]
    if (sibling !== undefined) proof.push(sibling)
    level = levelAbove(level)
    at >>>= 1
  }
  return proof
}

/**
 * Tree hash that an audit path leads to, from the leaf hash at `index` (from 0) of `size` leaves (RFC 9162 section
 * 2.1.3.2); undefined when the path is too long or too short for that place.
 */
export const rootOf = (index: number, size: number, leafHash: Hash, proof: ReadonlyArray<Hash>): Hash | undefined => {
  if (index < 0 || index >= size) return undefined
  let at = index
  let last = size - 1
  let hash = leafHash
  let used = 0
  while (last > 0) {
    if (at % 2 === 1 || at < last) {
      const sibling = proof[used++]
      if (sibling === undefined) return undefined
      hash = at % 2 === 1 ? node(sibling, hash) : node(hash, sibling)
    }
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return used === proof.length ? hash : undefined
}

/** Same bytes. */
export const equal = (a: Hash, b: Hash): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Merkle from "../../src/ledger/merkle.ts"

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex")

/** Leaves and tree hashes of RFC 6962's reference tests (github.com/google/certificate-transparency, merkletree). */
const vectors = {
  leaves: ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"],
  roots: [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ],
  empty: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}

/** The definition of RFC 6962 section 2.1, word for word. */
const naive = (leaves: ReadonlyArray<Uint8Array>): Uint8Array => {
  const hash = (...parts: ReadonlyArray<Uint8Array>) =>
    new Uint8Array(new Bun.CryptoHasher("sha256").update(Buffer.concat(parts)).digest())
  if (leaves.length === 0) return hash()
  if (leaves.length === 1) return hash(Uint8Array.of(0), leaves[0])
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return hash(Uint8Array.of(1), naive(leaves.slice(0, k)), naive(leaves.slice(k)))
}
/** PATH(m, D[n]) of RFC 6962 section 2.1.1. */
const naivePath = (m: number, leaves: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  if (leaves.length === 1) return []
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return m < k
    ? [...naivePath(m, leaves.slice(0, k)), naive(leaves.slice(k))]
    : [...naivePath(m - k, leaves.slice(k)), naive(leaves.slice(0, k))]
}

const data = fc.array(fc.uint8Array({ maxLength: 4 }), { minLength: 1, maxLength: 40 })

describe("the Merkle tree of RFC 6962", () => {
  it("gives the tree hashes of the reference tests", () => {
    const leaves = vectors.leaves.map((text) => Merkle.leaf(Buffer.from(text, "hex")))
    assert.strictEqual(hex(Merkle.treeHash([])), vectors.empty)
    for (const [i, root] of vectors.roots.entries()) {
      assert.strictEqual(hex(Merkle.treeHash(leaves.slice(0, i + 1))), root)
    }
  })

  it("has the same tree hash where it grows leaf by leaf", () => {
    fc.assert(
      fc.property(data, (blocks) => {
        let grown = Merkle.emptyFrontier
        assert.strictEqual(hex(Merkle.frontierHash(grown)), vectors.empty)
        for (const [index, block] of blocks.entries()) {
          grown = Merkle.grown(grown, Merkle.leaf(block))
          assert.strictEqual(grown.size, index + 1)
          assert.strictEqual(hex(Merkle.frontierHash(grown)), hex(naive(blocks.slice(0, index + 1))))
        }
      }),
    )
  })

  it("agrees with the definition, in tree hash and audit path", () => {
    fc.assert(
      fc.property(data, fc.nat(), (blocks, place) => {
        const leaves = blocks.map((block) => Merkle.leaf(block))
        const index = place % blocks.length
        assert.strictEqual(hex(Merkle.treeHash(leaves)), hex(naive(blocks)))
        assert.deepStrictEqual(Merkle.inclusionProof(leaves, index).map(hex), naivePath(index, blocks).map(hex))
      }),
    )
  })

  it("leads from a leaf to the tree hash by its own path and by no other", () => {
    fc.assert(
      fc.property(data, fc.nat(), fc.nat(), (blocks, place, other) => {
        const leaves = blocks.map((block, i) => Merkle.leaf(Buffer.concat([block, Buffer.of(i)])))
        const size = leaves.length
        const index = place % size
        const proof = Merkle.inclusionProof(leaves, index)
        const root = Merkle.treeHash(leaves)
        const leads = (i: number, n: number, leaf: Uint8Array, path: ReadonlyArray<Uint8Array>) =>
          hex(Merkle.rootOf(i, n, leaf, path)) === hex(root)
        assert.isTrue(leads(index, size, leaves[index], proof))
        assert.isFalse(leads(index, size, Merkle.leaf("x"), proof))
        assert.isUndefined(Merkle.rootOf(index, size, leaves[index], [...proof, root]))
        assert.isUndefined(Merkle.rootOf(size, size, leaves[index], proof))
        if (proof.length > 0) {
          assert.isUndefined(Merkle.rootOf(index, size, leaves[index], proof.slice(1)))
          const changed = proof.with(other % proof.length, Merkle.leaf("x"))
          assert.isFalse(leads(index, size, leaves[index], changed))
        }
        if (other % size !== index) assert.isFalse(leads(other % size, size, leaves[index], proof))
      }),
    )
  })
})

/**
 * Seeded random numbers: xoshiro128** 1.1 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators",
 * ACM TOMS 47(4), 2021), its state filled by splitmix32 from the seed. The same seed gives the same numbers for ever;
 * not for secrets.
 */

/** A stream of random numbers. It is stateful: one owner, one order of draws. */
export interface Random {
  /** The next 32 random bits as an unsigned integer. */
  readonly uint32: () => number
  /** Uniform in [0, 1) with 53 random bits. */
  readonly next: () => number
  /** Standard normal, mean 0 and variance 1 (Marsaglia's polar method). */
  readonly normal: () => number
  /** Uniform integer in [0, n) without modulo bias; n is an integer from 1 to 2^32. */
  readonly int: (n: number) => number
  /** Shuffles the list in place (Fisher and Yates) and returns it. */
  readonly shuffle: <A extends Shufflable>(list: A) => A
}

type Shufflable = Array<unknown> | Int32Array | Uint32Array | Float64Array

/** The four 32-bit words of a xoshiro128** state; not all zero. */
export type State = readonly [number, number, number, number]

const rotateLeft = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits))

const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return hash >>> 0
}

const splitmix32 = (seed: number) => {
  let weyl = seed | 0
  return () => {
    weyl = (weyl + 0x9e3779b9) | 0
    let mixed = Math.imul(weyl ^ (weyl >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

/** A stream that starts from a known state; `make` is what callers want. */
export const fromState = (state: State): Random => {
  let [s0, s1, s2, s3] = state
  let spare = Number.NaN

  const uint32 = () => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
    const shifted = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = rotateLeft(s3, 11)
    return result
  }
  const next = () => ((uint32() >>> 5) * 0x4000000 + (uint32() >>> 6)) / 0x20000000000000
  const normal = () => {
    if (!Number.isNaN(spare)) {
      const value = spare
      spare = Number.NaN
      return value
    }
    for (;;) {
      const u = 2 * next() - 1
      const v = 2 * next() - 1
      const square = u * u + v * v
      if (square === 0 || square >= 1) continue
      const factor = Math.sqrt((-2 * Math.log(square)) / square)
      spare = v * factor
      return u * factor
    }
  }
  const int = (n: number) => {
    if (!Number.isInteger(n) || n < 1 || n > 0x100000000) {
      throw new RangeError(`Random.int takes an integer from 1 to 2^32, not ${n}`)
    }
    const limit = 0x100000000 - (0x100000000 % n)
    for (;;) {
      const bits = uint32()
      if (bits < limit) return bits % n
    }
  }
  const shuffle = <A extends Shufflable>(list: A): A => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = int(i + 1)
      const held = list[i]
      list[i] = list[j]
      list[j] = held
    }
    return list
  }
  return { uint32, next, normal, int, shuffle }
}

/** A stream from a seed. A number and its decimal text are the same seed; derive streams by text: `make(`${seed}/folds`)`. */
export const make = (seed: number | string): Random => {
  const word = splitmix32(fnv1a(String(seed)))
  return fromState([word(), word(), word(), word() | 1])
}

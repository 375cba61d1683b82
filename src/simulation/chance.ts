/** A source of chance with a seed: one owner, one order of draws. The same seed gives the same draws for ever. */
export interface Chance {
  /** An integer from 0 to `below - 1`. */
  readonly draw: (below: number) => number
  /** Uniform in [0, 1). */
  readonly fraction: () => number
  /** True with this probability; 0 draws nothing. */
  readonly hits: (rate: number) => boolean
  readonly among: <A>(list: ReadonlyArray<A>) => A
  /** Milliseconds between two bounds, short ones as likely as long ones: log-uniform. */
  readonly millis: (least: number, most: number) => number
}

/** The generator mulberry32 (T. Ettinger, public domain): 32 bits of state, good enough for trials, not for secrets. */
export const make = (seed: number): Chance => {
  let at = seed | 0
  const uint32 = () => {
    at = (at + 0x6d2b79f5) | 0
    let t = Math.imul(at ^ (at >>> 15), 1 | at)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
  const fraction = () => uint32() / 2 ** 32
  const draw = (below: number) => Math.floor(fraction() * below)
  return {
    draw,
    fraction,
    hits: (rate) => rate > 0 && fraction() < rate,
    among: (list) => list[draw(list.length)],
    millis: (least, most) => Math.round(least * (most / least) ** fraction()),
  }
}

/**
 * How the tasks of a graph hang together: each after the one before (chain), all at once (wide), or in blocks of 100
 * (mixed): one task fans out to 80, one needs all of these, then come 18 in a chain, and the next block follows.
 */
export type Shape = "chain" | "wide" | "mixed"

const block = 100
const fan = 80

/** The tasks that task `i` needs, by their numbers. */
export const needs = (shape: Shape, i: number): ReadonlyArray<number> => {
  if (shape === "wide" || i === 0) return []
  const place = i % block
  if (shape === "chain" || place === 0 || place > fan + 1) return [i - 1]
  return place <= fan ? [i - place] : Array.from({ length: fan }, (_, n) => i - fan + n)
}

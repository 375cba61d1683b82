/** Damerau–Levenshtein distance (optimal string alignment): insert, delete, replace, swap neighbours. */
export const distance = (a: string, b: string): number => {
  const rows: Array<Array<number>> = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2][j - 2] + 1)
      rows[i][j] = best
    }
  }
  return rows[a.length][b.length]
}

/** The known name that was probably meant; undefined when none is near. */
export const nearest = (name: string, known: Iterable<string>): string | undefined => {
  const folded = name.toLowerCase().replace(/[-_]/g, "")
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    if (candidate.toLowerCase().replace(/[-_]/g, "") === folded) return candidate
    const d = Math.abs(candidate.length - name.length) >= bestDistance ? bestDistance : distance(name, candidate)
    if (d < bestDistance) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

/** ` Did you mean "x"?`, or nothing. */
export const didYouMean = (name: string, known: ReadonlyArray<string>): string => {
  const found = nearest(name, known)
  return found === undefined ? "" : ` Did you mean "${found}"?`
}

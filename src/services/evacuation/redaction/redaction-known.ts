import * as SecretForms from "../../secret-forms.ts"

const base = 131
/** `base` to the power of the shortest form's length, in 32 bits. */
const outgoing = Array.from({ length: SecretForms.shortest }).reduce<number>((power) => Math.imul(power, base), 1)
const bits = 18

/** Finds texts that are known in others, many at once: by the hash of what they begin with (Karp and Rabin, 1987). */
export const finder = (texts: Iterable<string>): ((text: string) => ReadonlyArray<SecretForms.Span>) => {
  const length = SecretForms.shortest
  const places = new Uint8Array(1 << bits)
  const byStart = new Map<number, Array<string>>()
  for (const text of texts) {
    if (text.length < length) continue
    let hash = 0
    for (let at = 0; at < length; at++) hash = (Math.imul(hash, base) + text.charCodeAt(at)) | 0
    places[hash >>> (32 - bits)] = 1
    const there = byStart.get(hash)
    if (there === undefined) byStart.set(hash, [text])
    else there.push(text)
  }
  if (byStart.size === 0) return () => []
  return (text) => {
    const spans: Array<{ from: number; to: number }> = []
    let hash = 0
    for (let at = 0; at < text.length; at++) {
      hash = (Math.imul(hash, base) + text.charCodeAt(at)) | 0
      if (at >= length) hash = (hash - Math.imul(outgoing, text.charCodeAt(at - length))) | 0
      if (at < length - 1 || places[hash >>> (32 - bits)] === 0) continue
      const from = at - length + 1
      for (const known of byStart.get(hash) ?? []) {
        if (!text.startsWith(known, from)) continue
        const last = spans.at(-1)
        const to = from + known.length
        if (last !== undefined && from < last.to) last.to = Math.max(last.to, to)
        else spans.push({ from, to })
      }
    }
    return spans
  }
}

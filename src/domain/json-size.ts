/**
 * Bytes (UTF-8) that a value's JSON text has at least: what is escaped is counted as if it were not. Makes no text, so it
 * costs no memory however large the value is. Stops beyond `enough`: parts that are shared can stand for more text than
 * there ever was memory.
 */
export const atLeast = (value: unknown, enough: number): number => {
  let bytes = 0
  const walk = (part: unknown): void => {
    if (bytes > enough) return
    if (typeof part === "string") bytes += Buffer.byteLength(part) + 2
    else if (typeof part === "number") bytes += Number.isFinite(part) ? String(part).length : 4
    else if (typeof part !== "object" || part === null) bytes += 4
    else if (Array.isArray(part)) {
      bytes += Math.max(2, part.length + 1)
      for (const item of part) walk(item)
    } else if ("toJSON" in part) bytes += 2
    else {
      let count = 0
      for (const key of Object.keys(part)) {
        const item = (part as Record<string, unknown>)[key]
        if (item === undefined) continue
        count++
        bytes += Buffer.byteLength(key) + 2
        walk(item)
      }
      bytes += Math.max(2, 2 * count + 1)
    }
  }
  walk(value)
  return bytes
}

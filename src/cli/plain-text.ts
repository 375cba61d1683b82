import * as Line from "./render/line.ts"

/**
 * The text with control characters and marks of writing direction made visible. Evidence is shown as it is, but what
 * comes from files must not steer a terminal.
 */
export const plain = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0).toString(16)
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`
  })

/** Rows as lines with aligned columns, cells made plain. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  Line.table(rows.map((row) => row.map(plain)))

/** `1 entry`, `2 entries`. */
export const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`

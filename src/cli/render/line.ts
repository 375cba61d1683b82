/** Text from elsewhere as one line that cannot steer a terminal: no escape sequences, no control characters. */
export const clean = (text: string): string =>
  Bun.stripANSI(text)
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ")
    .trim()

/** As `clean`, but line breaks stay. */
export const cleanLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => clean(line))
    .join("\n")
    .trim()

/** A word of a command as a shell takes it: `many[1]` would be a pattern of files. */
export const argument = (text: string): string => (/^[\w./:-]+$/.test(text) ? text : `'${text}'`)

/** Cuts a line (colours allowed) to a display width in columns; wide characters count two. */
export const fit = (text: string, columns: number): string => {
  if (Bun.stringWidth(text) <= columns) return text
  for (let end = columns - 1; end > 0; end--) {
    const cut = `${Bun.sliceAnsi(text, 0, end)}…`
    if (Bun.stringWidth(cut) <= columns) return cut
  }
  return "…"
}

/** Fills a line with spaces up to a display width in columns. */
export const pad = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)))

/** Rows of cells as aligned columns, two spaces apart. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>, indent = ""): ReadonlyArray<string> => {
  const widths: Array<number> = []
  for (const row of rows) {
    row.forEach((cell, column) => void (widths[column] = Math.max(widths[column] ?? 0, Bun.stringWidth(cell))))
  }
  return rows.map(
    (row) =>
      `${indent}${row
        .map((cell, column) => pad(cell, widths[column]))
        .join("  ")
        .trimEnd()}`,
  )
}

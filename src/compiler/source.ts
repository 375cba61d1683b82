/** A range of a source text, in characters. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A text that a person wrote, with its line starts. */
export interface Source {
  readonly file: string
  readonly text: string
  readonly lineStarts: ReadonlyArray<number>
}

export const make = (file: string, text: string): Source => {
  const lineStarts = [0]
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 10) lineStarts.push(i + 1)
  return { file, text, lineStarts }
}

/** Line and column, both from 1, of an offset. */
export const position = (source: Source, offset: number): { line: number; column: number } => {
  let low = 0
  let high = source.lineStarts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (source.lineStarts[middle] <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - source.lineStarts[low] + 1 }
}

/** Text of a line (from 1). */
export const lineText = (source: Source, line: number): string => {
  const start = source.lineStarts[line - 1]
  const end = source.lineStarts[line] ?? source.text.length + 1
  return source.text.slice(start, end - 1).replace(/\r$/, "")
}

/** A place in a TypeScript file; line and column count from 1. */
export interface CallSite {
  readonly file: string
  readonly line: number
  readonly column: number
}

const frame = /^at (?:.*? \()?(.+?):(\d+):(\d+)\)?$/

/** The calls of a stack, innermost first. */
export const parse = (stack: string): ReadonlyArray<CallSite> =>
  stack.split("\n").flatMap((line) => {
    const match = frame.exec(line.trim())
    if (match === null) return []
    const file = match[1].startsWith("file://") ? decodeURIComponent(new URL(match[1]).pathname) : match[1]
    return [{ file, line: Number(match[2]), column: Number(match[3]) }]
  })

/** The stack of those who called a function, as text: it is read only when something is wrong there. */
export const capture = (called: (...args: Array<never>) => unknown): string => {
  const at: { stack?: string } = {}
  Error.captureStackTrace(at, called)
  return at.stack ?? ""
}

/** The innermost call that stands in a file. */
export const within = (stack: string, file: string): CallSite | undefined =>
  parse(stack).find((site) => site.file === file)

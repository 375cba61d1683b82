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

/** Marks a call. Its stack becomes text when it is read, which is worth it only when something is wrong there. */
export const capture = (): Error => new Error("A call")

/** The innermost call that stands in a file. */
export const within = ({ stack = "" }: Error, file: string): CallSite | undefined =>
  parse(stack).find((site) => site.file === file)

const words =
  "await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield arguments eval"

/** `worm-append` and `worm_append` as names of TypeScript: `wormAppend`. */
export const camel = (text: string): string => {
  const name = text.replace(/[^A-Za-z0-9]+(.)?/g, (_, next: string | undefined) => next?.toUpperCase() ?? "")
  return /^[A-Za-z]/.test(name) ? name : `_${name}`
}

/** Names that a file uses; each is given once. */
export class Names {
  private readonly taken = new Set(words.split(" "))

  constructor(taken: ReadonlyArray<string>) {
    for (const name of taken) this.taken.add(name)
  }

  /** The name, or one with `suffix` and, if need be, a number. */
  give(name: string, suffix: string): string {
    let given = name
    for (let i = 1; this.taken.has(given); i++) given = `${name}${suffix}${i === 1 ? "" : i}`
    this.taken.add(given)
    return given
  }
}

import type { FilesCollector } from "../../../domain/config/evacuation.ts"

/** Which of the paths below its root a collector means. Bytes that are no UTF-8 are U+FFFD here. */
export interface FileSelection {
  readonly means: (path: string) => boolean
  /** None of its `without` speaks of the path. */
  readonly allows: (path: string) => boolean
  /** Something below this folder may be meant. */
  readonly enters: (folder: string) => boolean
}

const all = "/**"

/** The selection of a collector's `globs` and `without`. */
export const of = ({ globs, without = [] }: Pick<FilesCollector, "globs" | "without">): FileSelection => {
  const wanted = globs?.map((glob) => new Bun.Glob(glob))
  const unwanted = without.map((glob) => new Bun.Glob(glob))
  // Who wants nothing below a folder need not look there.
  const closed = without.flatMap((glob) =>
    glob.endsWith(all) && !glob.startsWith("!") ? [new Bun.Glob(glob.slice(0, -all.length))] : [],
  )
  const allows = (path: string) => !unwanted.some((glob) => glob.match(path))
  return {
    means: (path) => allows(path) && (wanted === undefined || wanted.some((glob) => glob.match(path))),
    allows,
    enters: (folder) => !closed.some((glob) => glob.match(folder)),
  }
}

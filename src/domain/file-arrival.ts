import * as Schema from "effect/Schema"
import * as Sha256 from "./sha256.ts"

const nanoseconds = Schema.String.check(Schema.isPattern(/^-?\d+$/))

/** A file as a listing shows it. Times are nanoseconds since the epoch; `path` is relative to the folder that is watched. */
export const ListedFile = Schema.Struct({
  path: Schema.String,
  size: Schema.Int,
  /** When its bytes were last changed, and when anything about it was: its name, its mode. */
  modified: nanoseconds,
  changed: nanoseconds,
  inode: Schema.String,
})
export type ListedFile = typeof ListedFile.Type

/**
 * When a file is complete. `stability`: its size and time have not changed for so many milliseconds. `rename`: at once,
 * because those who write give it its name only then. `marker`: a file of its name and this suffix was made after it.
 */
export type Complete =
  | { readonly by: "stability"; readonly millis: number }
  | { readonly by: "rename" }
  | { readonly by: "marker"; readonly suffix: string }

/** A file that has arrived. The same arrival always has the same key (SHA-256), also after a restart. */
export interface Arrival {
  readonly file: ListedFile
  readonly key: Sha256.Sha256
}

/** What is known of a folder. What was taken must be remembered over restarts; what may arrive begins anew with each. */
export interface State {
  /** Files that were taken and are there; of one that was written anew since, as it was then. */
  readonly taken: ReadonlyMap<string, ListedFile>
  /** Files that were taken and are not there now; those that went first come first. */
  readonly gone: ReadonlyMap<string, ListedFile>
  /** Files that were not taken, and since when (milliseconds of a clock that nobody sets) they have been as they are. */
  readonly open: ReadonlyMap<string, { readonly file: ListedFile; readonly since: number }>
}

/** Files that are not there and still remembered, at most: a folder whose disk was away must not arrive again as a whole. */
export const mostGone = 50_000

/**
 * True for the same content under the same name, as far as a listing can tell. A file that replaces another of the same size
 * and time has another inode and was changed later; another inode alone comes from file systems that number anew at each
 * mount, a later change alone from a change of its mode.
 */
const same = (a: ListedFile, b: ListedFile): boolean =>
  a.size === b.size && a.modified === b.modified && (a.inode === b.inode || a.changed === b.changed)

/** What its run is named after. */
const keyOf = ({ inode, modified, path, size }: ListedFile): Sha256.Sha256 =>
  Sha256.of(`dandori file ${JSON.stringify([path, size, modified, inode])}\n`)

/** A folder whose files are all there already: none of them arrives. */
export const begin = (there: ReadonlyArray<ListedFile>): State => ({
  taken: new Map(there.map((file) => [file.path, file])),
  gone: new Map(),
  open: new Map(),
})

/** A folder of which those files are remembered that were taken, by an earlier process. */
export const resume = (remembered: Iterable<ListedFile>): State => ({
  taken: new Map(),
  gone: new Map([...remembered].map((file) => [file.path, file])),
  open: new Map(),
})

/** The files of a listing that are not markers. */
export const withoutMarkers = (listing: ReadonlyArray<ListedFile>, complete: Complete): ReadonlyArray<ListedFile> =>
  complete.by === "marker" ? listing.filter(({ path }) => !path.endsWith(complete.suffix)) : listing

const notOlder = (marker: ListedFile, file: ListedFile): boolean =>
  BigInt(marker.modified) >= BigInt(file.modified) || BigInt(marker.changed) >= BigInt(file.changed)

/**
 * Looks at a listing at a time (milliseconds of a clock that nobody sets): which files have arrived and wait to be taken, by
 * the time of their content; and the paths that are remembered no longer. What is not taken arrives again at the next look.
 */
export const look = (
  before: State,
  listing: ReadonlyArray<ListedFile>,
  now: number,
  complete: Complete,
): { readonly arrived: ReadonlyArray<Arrival>; readonly forgotten: ReadonlyArray<string>; readonly state: State } => {
  const taken = new Map<string, ListedFile>()
  const open = new Map<string, { readonly file: ListedFile; readonly since: number }>()
  const gone = new Map(before.gone)
  const markers =
    complete.by === "marker"
      ? new Map(listing.filter(({ path }) => path.endsWith(complete.suffix)).map((file) => [file.path, file]))
      : new Map<string, ListedFile>()
  const isComplete = (file: ListedFile, since: number): boolean => {
    if (complete.by === "rename") return true
    if (complete.by === "stability") return now - since >= complete.millis
    const marker = markers.get(file.path + complete.suffix)
    return marker !== undefined && notOlder(marker, file)
  }
  const arrived: Array<ListedFile> = []
  for (const file of listing) {
    const { path } = file
    if (markers.has(path)) continue
    const known = before.taken.get(path) ?? before.gone.get(path)
    if (known !== undefined) {
      gone.delete(path)
      taken.set(path, same(known, file) ? file : known)
      if (same(known, file)) continue
    }
    const seen = before.open.get(path)
    const since = seen !== undefined && same(seen.file, file) ? seen.since : now
    open.set(path, { file, since })
    if (isComplete(file, since)) arrived.push(file)
  }
  for (const [path, file] of before.taken) if (!taken.has(path)) gone.set(path, file)
  const forgotten = [...gone.keys()].slice(0, Math.max(0, gone.size - mostGone))
  for (const path of forgotten) gone.delete(path)
  const inOrder = arrived.toSorted(
    (a, b) => Number(BigInt(a.modified) - BigInt(b.modified)) || (a.path < b.path ? -1 : 1),
  )
  return {
    arrived: inOrder.map((file) => ({ file, key: keyOf(file) })),
    forgotten,
    state: { taken, gone, open },
  }
}

/** Some of what has arrived was taken: it does not arrive again. */
export const take = (before: State, arrivals: ReadonlyArray<Arrival>): State => {
  const state = { taken: new Map(before.taken), gone: before.gone, open: new Map(before.open) }
  for (const { file } of arrivals) {
    state.taken.set(file.path, file)
    state.open.delete(file.path)
  }
  return state
}

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileArrival from "../domain/file-arrival.ts"
import type { FileFailed } from "./durable-files.ts"
import * as FileListing from "./file-listing.ts"

/** A folder that is watched for files, and who takes them. */
export interface Options<E, R> {
  /** Absolute. */
  readonly folder: string
  /** Relative to the folder. */
  readonly pattern: string
  readonly complete: FileArrival.Complete
  readonly everyMillis: number
  /** Files that were taken by earlier processes; undefined where none has watched: what is there then does not arrive. */
  readonly remembered: Iterable<FileArrival.ListedFile> | undefined
  /** Makes durable that these were there when the first process began to watch: they count as taken. */
  readonly remember: (files: ReadonlyArray<FileArrival.ListedFile>) => Effect.Effect<void, E, R>
  /** These need to be remembered no longer. */
  readonly forget: (paths: ReadonlyArray<string>) => Effect.Effect<void, E, R>
  /**
   * Takes a file: true when that is durable; by its key it can be told from one that was taken and not remembered before a
   * crash. False when there is no room now: it and those after it arrive again.
   */
  readonly take: (arrival: FileArrival.Arrival) => Effect.Effect<boolean, E, R>
}

/** A watch. */
export interface FileWatch<E, R> {
  /** One look: how many files were taken. Fails where the folder cannot be listed, or one could not be taken; nothing is lost. */
  readonly look: Effect.Effect<number, FileFailed | FileListing.FolderTooFull | E, R>
  /** Looks again and again until it is interrupted. Says once what is wrong, and once that it is no more. */
  readonly run: Effect.Effect<never, never, R>
}

/** So much of the time at most is spent looking: a folder that is slow to list is looked at less often. */
const share = 0.05

const monotonic = Effect.map(Clock.monotonicTimeNanos, (now) => Number(now) / 1e6)

/**
 * Watches a folder by listing it, which works on network file systems too. Each complete file arrives once, over restarts;
 * one that is written anew arrives again.
 */
export const make = <E extends { readonly message: string }, R>(options: Options<E, R>): FileWatch<E, R> => {
  const { complete, everyMillis, folder, forget, pattern, remember, remembered, take } = options
  const suffix = complete.by === "marker" ? complete.suffix : undefined
  let state = remembered === undefined ? undefined : FileArrival.resume(remembered)
  let unnamed = 0
  /** How long the last listing took: what is done with files that arrive is no reason to look less often. */
  let tookMillis = 0

  /** Nothing is there yet where there is no folder at the first look; later on, it is away. */
  const listed = (isFirst: boolean) =>
    FileListing.list(folder, pattern, suffix).pipe(
      Effect.catchIf(
        (error) => isFirst && error._tag === "FileFailed" && error.code === "ENOENT",
        () => Effect.succeed<FileListing.Listing>({ files: [], unnamed: 0 }),
      ),
    )

  const look = Effect.gen(function* () {
    const begun = yield* monotonic
    const listing = yield* Effect.ensuring(
      listed(state === undefined),
      Effect.map(monotonic, (now) => void (tookMillis = now - begun)),
    )
    if (listing.unnamed > unnamed) {
      yield* Effect.logWarning(
        `${folder}: ${listing.unnamed} files are left out, their names are no UTF-8; rename them to have them arrive`,
      )
    }
    unnamed = listing.unnamed
    if (state === undefined) {
      const there = FileArrival.withoutMarkers(listing.files, complete)
      yield* remember(there)
      state = FileArrival.begin(there)
      return 0
    }
    const now = yield* monotonic
    const found = FileArrival.look(state, listing.files, now, complete)
    if (found.forgotten.length > 0) yield* forget(found.forgotten)
    state = found.state
    const taken: Array<FileArrival.Arrival> = []
    const keep = Effect.sync(() => {
      state = FileArrival.take(found.state, taken)
    })
    yield* Effect.gen(function* () {
      for (const arrival of found.arrived) {
        if (!(yield* take(arrival))) return
        taken.push(arrival)
      }
    }).pipe(Effect.ensuring(keep))
    return taken.length
  })

  const run = Effect.gen(function* () {
    let problem: string | undefined
    for (;;) {
      const result = yield* Effect.result(look)
      if (result._tag === "Failure" && problem === undefined) {
        yield* Effect.logWarning(`Files of ${folder} do not arrive: ${result.failure.message}`)
      }
      if (result._tag === "Success" && problem !== undefined)
        yield* Effect.logWarning(`Files of ${folder} arrive again`)
      problem = result._tag === "Failure" ? result.failure.message : undefined
      yield* Effect.sleep(Math.max(everyMillis, tookMillis / share))
    }
  })

  return { look, run }
}

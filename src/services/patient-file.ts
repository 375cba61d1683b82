import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { formatSize } from "../domain/quantity.ts"
import * as AppendFile from "./append-file.ts"
import { FileFailed, attempt, fsyncFile } from "./durable-files.ts"

/**
 * Most bytes that are kept of a file that cannot be written: four of the largest events that a stream takes, or some
 * hundred thousand ordinary ones, and little beside the memory that an engine of so many tasks needs anyway.
 */
export const mostKept = 64 * 2 ** 20

/** How often a file that is behind is tried when nothing else comes: a task may take hours, and an approval days. */
const tryMillis = 10_000

/** What a file lacks: how many lines, since when (milliseconds since the epoch), and what the operating system said last. */
export interface Behind {
  readonly lines: number
  readonly since: number
  readonly error: FileFailed
}

/** A file can no longer be written, or it can again and lacks nothing. */
export type News =
  | { readonly _tag: "Stalled"; readonly behind: Behind }
  | { readonly _tag: "Recovered"; readonly lines: number; readonly since: number }

/**
 * A file that only grows and outlives what keeps it from being written: lines are kept in their order, and written
 * again with each line that comes, when somebody waits, every now and then, and when it is closed. Until its first flush
 * a failure breaks it, like other files; later only more than `limit` kept bytes do. Waiting succeeds while it is behind.
 *
 *   written ──write or flush fails──> behind ──a try from the last good line on──> written
 *                                       └────more than `limit` is kept────> broken
 */
export interface PatientFile extends AppendFile.AppendFile {
  /** Waits for the flush of all lines; where it cannot be had, tries once more and gives what is missing. */
  readonly settled: Effect.Effect<Behind | undefined, FileFailed>
  /** Tells one listener of every change, and of the last one that came before it listened. */
  readonly watch: (listener: (news: News) => void) => void
}

interface Line {
  readonly text: string
  readonly end: number
}

/** How a patient file is opened; `now` is for what it tells, milliseconds since the epoch. */
export interface Options {
  readonly path: string
  readonly keepBytes?: number
  readonly intervalMillis: number
  readonly now: () => number
  readonly limit?: number
}

/** Opens a patient file, as `AppendFile.open`. What is kept is tried once more when the scope closes. */
export const open = Effect.fnUntraced(function* (options: Options) {
  const { intervalMillis, limit = mostKept, now, path } = options
  const turn = Semaphore.makeUnsafe(1)
  const asked = Latch.makeUnsafe(false)
  const lost = Latch.makeUnsafe(false)
  let listener: ((news: News) => void) | undefined
  let news: News | undefined
  /** Not known to be durable, oldest first. */
  let kept: Array<Line> = []
  let flushed = 0
  let begun = false
  let failure: FileFailed | undefined
  let since: number | undefined
  /** Lines appended in all, and how many of them were durable when it fell behind. */
  let lines = 0
  let inTime = 0
  let tried = 0
  /** Whether a flush has failed: then nothing that came after the last good one can be relied on. */
  let doubtful = false
  let over: FileFailed | undefined

  const tell = (what: News) => {
    news = what
    listener?.(what)
  }
  const fail = (error: FileFailed) => {
    failure = error
    doubtful ||= error.operation === "flush"
  }
  const breakWith = (error: FileFailed) => {
    over ??= error
    lost.openUnsafe()
  }
  const overflow = (error: FileFailed) =>
    breakWith(new FileFailed({ ...error, operation: `keep more than ${formatSize(limit)} for` }))
  const behind = (): Behind | undefined => {
    if (failure === undefined || since === undefined) return undefined
    prune()
    return { lines: kept.length, since, error: failure }
  }
  const stall = (file: AppendFile.AppendFile, error: FileFailed) => {
    if (file !== current.file || failure !== undefined) return
    prune()
    fail(error)
    if (!begun) return breakWith(error)
    // A write that was long in failing has let lines come that nobody counted yet.
    if (end - flushed > limit) overflow(error)
    if (since !== undefined) return
    since = now()
    inTime = lines - kept.length
    tell({ _tag: "Stalled", behind: { lines: kept.length, since, error } })
    asked.openUnsafe()
  }

  const start = Effect.fnUntraced(function* (keepBytes?: number) {
    const scope = yield* Scope.make()
    const keep = keepBytes === undefined ? {} : { keepBytes }
    const opened = AppendFile.open({ path, intervalMillis, ...keep })
    const file = yield* Scope.provide(opened, scope).pipe(
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
    )
    const watched = Effect.map(file.broken, (error) => stall(file, error))
    yield* Effect.forkIn(Effect.interruptible(watched), scope)
    return { file, scope }
  })
  let current = yield* start(options.keepBytes)
  const begin = current.file.end()
  let end = begin
  flushed = begin

  const prune = () => {
    flushed = Math.max(flushed, current.file.synced())
    const first = kept.findIndex((line) => line.end > flushed)
    kept = first === -1 ? [] : first === 0 ? kept : kept.slice(first)
  }

  /** How many bytes of the file stand, ending with a whole line, all of them flushed. */
  const standing = Effect.gen(function* () {
    const { size } = yield* attempt("look at", path, () => Fs.stat(path))
    if (size < flushed) {
      const reason = `it has ${size} bytes, but had ${flushed}: somebody has cut it`
      return yield* new FileFailed({ path, operation: "go on with", code: "CUT", reason })
    }
    if (doubtful) return flushed
    const missing = kept.findIndex((line) => line.end > size)
    const last = missing === -1 ? kept.at(-1) : kept[missing - 1]
    const whole = last?.end ?? flushed
    if (whole > flushed) {
      yield* fsyncFile(path)
      flushed = whole
    }
    return whole
  })

  /** Opens the file anew and writes what it lacks: one line first, since that may fail again. */
  const tryAgain = Effect.gen(function* () {
    if (failure === undefined) return
    tried = end
    const stands = yield* standing
    const before = current
    current = yield* start(stands)
    yield* Scope.close(before.scope, Exit.void)
    prune()
    const [first] = kept
    if (first !== undefined) yield* current.file.flushed(current.file.append(first.text))
    for (const { text } of first === undefined ? [] : kept.slice(1)) current.file.append(text)
    const late = lines - inTime
    failure = undefined
    yield* current.file.flushed(current.file.end())
    prune()
    doubtful = false
    if (since === undefined) return
    const recovered = { lines: late, since }
    since = undefined
    tell({ _tag: "Recovered", ...recovered })
  }).pipe(
    Effect.catch((error) => Effect.sync(() => fail(error))),
    Effect.uninterruptible,
  )

  const waitFor = Effect.fnUntraced(function* (upTo: number, again: boolean) {
    let wants = again
    while (true) {
      if (over !== undefined) return yield* over
      if (failure === undefined) {
        const { file } = current
        const error = yield* Effect.match(file.flushed(upTo), {
          onFailure: (error) => error,
          onSuccess: () => undefined,
        })
        if (error === undefined) {
          begun ||= upTo > begin
          return undefined
        }
        stall(file, error)
      } else {
        yield* turn.withPermit(Effect.suspend(() => (wants || tried < upTo ? tryAgain : Effect.void)))
        wants = false
        if (failure !== undefined && over === undefined) return behind()
      }
    }
  })

  yield* Effect.addFinalizer(() =>
    (begun ? turn.withPermit(tryAgain) : Effect.void).pipe(
      Effect.andThen(Effect.suspend(() => Scope.close(current.scope, Exit.void))),
    ),
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function* () {
        yield* failure === undefined ? asked.await : Effect.timeoutOption(asked.await, tryMillis)
        asked.closeUnsafe()
        yield* turn.withPermit(tryAgain)
      }),
    ),
  )

  const file: PatientFile = {
    append: (text) => {
      lines++
      if (failure === undefined) end = current.file.append(text)
      else {
        end += Buffer.byteLength(text)
        if (end - flushed > limit) overflow(failure)
        asked.openUnsafe()
      }
      kept.push({ text, end })
      if (failure === undefined && current.file.synced() > flushed) prune()
      return end
    },
    flushed: (upTo) => Effect.asVoid(waitFor(upTo, false)),
    end: () => end,
    synced: () => flushed,
    flushes: () => current.file.flushes(),
    broken: Effect.map(lost.await, () => over as FileFailed),
    settled: Effect.suspend(() => waitFor(end, true)),
    watch: (given) => {
      listener = given
      if (news !== undefined) given(news)
    },
  }
  return file
})

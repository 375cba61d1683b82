import * as Fs from "node:fs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SourceFile } from "../../../domain/collected.ts"
import type { FileFailed } from "../../durable-files.ts"
import * as Descriptors from "./descriptors.ts"
import { type Reading, SourceFailed } from "./reading.ts"

/** A source that was opened: what it has up to a moment is read once, from the beginning. */
export interface OpenSource {
  readonly seen: Reading["seen"]
  /** How many bytes are still to be read, at most. */
  readonly left: () => number
  /** Fills the buffer with what comes next, and says how many bytes that are: fewer where there are no more. */
  readonly fill: (buffer: Uint8Array) => Effect.Effect<number, SourceFailed>
  /** Whether what was read is perhaps nothing that the source ever was, or no longer what lies at its path. */
  readonly changed: Effect.Effect<boolean>
}

const newline = 10
const block = 64 << 10
/** What the kernel makes up while it is read says that it has no bytes: so many are taken. */
const mostOfMadeUp = 16 << 20

/** A file that was written to so short a time ago, in milliseconds, may be being written to: its time would not tell. */
const fresh = 20

/** What lies at a place now. */
const kindOf = (stats: Fs.BigIntStats): string => {
  if (stats.isSymbolicLink()) return "a link"
  if (stats.isDirectory()) return "a folder"
  return stats.isSocket() ? "a socket" : stats.isFIFO() ? "a named pipe" : "a device"
}

/** How many of the first `size` bytes are whole lines. */
const wholeLines = Effect.fnUntraced(function* (files: Descriptors.Descriptors, fd: number, size: number) {
  const buffer = new Uint8Array(Math.min(block, size))
  for (let end = size; end > 0; end -= buffer.length) {
    const begin = Math.max(0, end - buffer.length)
    const count = yield* files.read(fd, buffer.subarray(0, end - begin), begin)
    const at = buffer.subarray(0, count).lastIndexOf(newline)
    if (at !== -1) return begin + at + 1
  }
  return 0
})

/** How an open file looks, where it can be once the last write to it is over. */
const looked = Effect.fnUntraced(function* (fd: number) {
  const age = (yield* Clock.currentTimeMillis) - Number(Fs.fstatSync(fd, { bigint: true }).mtimeMs)
  if (age >= 0 && age < fresh) yield* Effect.sleep(fresh - age)
  return Fs.fstatSync(fd, { bigint: true })
})

/** What nobody changes: another size, time or file is another source. */
const isAsBefore = (before: Fs.BigIntStats, now: Fs.BigIntStats) =>
  before.size === now.size && before.mtimeNs === now.mtimeNs

/**
 * Opens a source as the regular file that it was listed as, without following a link in its path. `lines`: only whole
 * lines are read, and that others come meanwhile changes nothing. What is appended after the opening is not read.
 */
export const open = Effect.fnUntraced(function* (
  file: SourceFile,
  lines: boolean,
): Effect.fn.Return<OpenSource, SourceFailed, Scope.Scope> {
  const files = yield* Descriptors.make
  const path = file.sourceBytes === undefined ? Buffer.from(file.source) : Buffer.from(file.sourceBytes, "base64")
  const refused = (reason: string) => new SourceFailed({ source: file.source, reason })
  const told = <A>(effect: Effect.Effect<A, FileFailed>) =>
    Effect.mapError(effect, (error) => refused(Descriptors.whyNot(error)))

  const place = yield* told(Descriptors.placeOf(files, path))
  const listed = Fs.fstatSync(place, { bigint: true })
  if (!listed.isFile()) return yield* refused(`it is ${kindOf(listed)} now`)
  const fd = yield* told(files.open(Descriptors.itself(place), Descriptors.fileFlags))
  files.close(place)
  const before = yield* looked(fd)
  const size = Number(before.size)
  const isMadeUp = size === 0 && (yield* told(files.read(fd, new Uint8Array(1), 0))) > 0
  const limit = isMadeUp ? mostOfMadeUp : lines ? yield* told(wholeLines(files, fd, size)) : size
  let position = 0
  let isOver = limit === 0

  const hasOtherBytes = () => {
    const now = Fs.fstatSync(fd, { bigint: true })
    if (isMadeUp) return now.size !== 0n
    return position < limit || (lines ? now.size < before.size : !isAsBefore(before, now))
  }
  /** Another file may lie there now; where none does, what was read is what was there. */
  const isAnother = Effect.scoped(
    Effect.gen(function* () {
      const again = yield* Descriptors.placeOf(yield* Descriptors.make, path)
      const now = Fs.fstatSync(again, { bigint: true })
      if (now.dev !== before.dev || now.ino !== before.ino) return true
      return !lines && !isMadeUp && now.ctimeNs !== before.ctimeNs
    }),
  ).pipe(Effect.orElseSucceed(() => false))

  return {
    seen: { bytes: size, mtimeNs: String(before.mtimeNs), inode: String(before.ino) },
    left: () => (isOver ? 0 : limit - position),
    fill: Effect.fnUntraced(function* (buffer) {
      let filled = 0
      while (!isOver && filled < buffer.length) {
        const wanted = buffer.subarray(filled, filled + limit - position)
        const count = yield* told(files.read(fd, wanted, position))
        filled += count
        position += count
        isOver = count === 0 || position === limit
      }
      return filled
    }),
    changed: Effect.suspend(() => (hasOtherBytes() ? Effect.succeed(true) : isAnother)),
  }
})

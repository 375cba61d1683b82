import { isUtf8 } from "node:buffer"
import * as Fs from "node:fs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Collected } from "../../../domain/collected.ts"
import type { FilesCollector } from "../../../domain/config/evacuation.ts"
import { parseDuration, parseSize } from "../../../domain/quantity.ts"
import { attempt, type FileFailed } from "../../durable-files.ts"
import { whyNot } from "./descriptors.ts"
import * as FileSelection from "./file-selection.ts"
import * as FolderWalk from "./folder-walk.ts"
import type { InventoryLists } from "./inventory-lists.ts"
import { placeOf, shown } from "./plain-path.ts"

const usualTime = "10s"

/** What a collector's files are looked for with. `deadline` is milliseconds since the epoch. */
export interface Look {
  readonly collector: FilesCollector
  /** The root's path, which may lead over links. */
  readonly root: string
  readonly lists: InventoryLists
  readonly deadline: number | undefined
  /** Whether a folder is the evacuation's own, which is no evidence: nothing is said of it. */
  readonly isOwn: (folder: { readonly dev: bigint; readonly ino: bigint }) => boolean
}

const plural = (count: number, one: string, many: string) => (count === 1 ? `1 ${one}` : `${count} ${many}`)

/** The nearest number that a list can hold. */
const numberOf = (value: bigint): number =>
  Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)))

const kindOf = (stats: FolderWalk.Found["stats"]): string =>
  stats.isSocket() ? "a socket" : stats.isFIFO() ? "a named pipe" : "a device"

/** What a look has seen, and how it tells the lists. */
const makeTally = ({ collector, isOwn, lists }: Look, root: Uint8Array) => {
  const { name, to, value } = collector
  const earlier = lists.earlier(name)
  const selection = FileSelection.of(collector)
  const most = collector.max_bytes === undefined ? Infinity : (parseSize(collector.max_bytes) ?? Infinity)
  const prefix = root.length === 1 ? root : Buffer.concat([root, Buffer.from("/")])
  const sourceOf = (path: Uint8Array) => (path.length === 0 ? root : Buffer.concat([prefix, path]))
  const tally = { files: earlier.paths.size, bytes: earlier.bytes, over: 0, unread: 0, firstUnread: "" }

  const leaveOut = (path: Uint8Array, reason: string, size?: number) =>
    lists.addNotTaken({
      collector: name,
      source: shown(sourceOf(path)),
      reason,
      ...(size === undefined ? {} : { bytes: size }),
    })
  const pass = (path: Uint8Array, reason: string) =>
    lists.addNotTaken({ collector: name, source: shown(sourceOf(path)), reason, noBytes: true })
  const miss = (path: Uint8Array, reason: string, size?: number) => {
    if (tally.unread++ === 0) tally.firstUnread = `${shown(sourceOf(path))}: ${reason}`
    return leaveOut(path, reason, size)
  }
  const add = ({ link, path, readable, stats }: FolderWalk.Found): Effect.Effect<void, FileFailed> => {
    const text = path.toString()
    if (link?.toFolder === true ? !selection.allows(text) || !selection.enters(text) : !selection.means(text))
      return Effect.void
    if (link !== undefined) return pass(path, `a link to ${shown(link.target)}`)
    if (!stats.isFile()) return pass(path, kindOf(stats))
    const place = placeOf(name, path)
    if (earlier.paths.has(place)) return Effect.void
    const size = Number(stats.size)
    if (!Number.isSafeInteger(size)) return leaveOut(path, "it says that it is larger than any disk")
    if (!readable) return miss(path, "permission denied", size)
    if (tally.bytes + size > most) {
      tally.over++
      return leaveOut(path, `over the limit of ${collector.max_bytes}`, size)
    }
    tally.files++
    tally.bytes += size
    const source = sourceOf(path)
    return lists.addFile({
      collector: name,
      to,
      value,
      source: shown(source),
      ...(isUtf8(source) ? {} : { sourceBytes: Buffer.from(source).toString("base64") }),
      path: place,
      bytes: size,
      mtime: numberOf(stats.mtimeMs),
      mode: Number(stats.mode) & 0o7777,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      redact: collector.redact ?? false,
    })
  }
  const visitor: FolderWalk.Visitor<FileFailed> = {
    enters: (path, stats) => !isOwn(stats) && selection.enters(path.toString()),
    found: (batch) => Effect.forEach(batch, add, { discard: true }),
    missed: (path, reason) =>
      path.length > 0 && !selection.allows(path.toString()) ? Effect.void : miss(path, reason),
  }
  return { tally, leaveOut, visitor }
}

/** Lists the files of a collector, and what is not taken and why; what it adds to the lists is durable on return. */
export const look = Effect.fnUntraced(function* (what: Look) {
  const { collector, deadline, lists, root } = what
  const began = yield* Clock.currentTimeMillis
  const time = collector.time ?? usualTime
  const timeEnd = began + (parseDuration(time) ?? 0)
  const isDue = deadline !== undefined && deadline < timeEnd
  const end = isDue ? deadline : timeEnd
  const cut = isDue ? "deadline" : `the time limit of ${time} is over`
  const inTime = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      now < end ? Effect.timeoutOption(effect, end - now) : Effect.succeedNone,
    )
  const ending = (
    outcome: Collected["outcome"],
    reasons: ReadonlyArray<string>,
    { bytes, files, over }: { readonly files: number; readonly bytes: number; readonly over: number },
  ): Effect.Effect<Collected> =>
    Effect.map(Clock.currentTimeMillis, (ended) => ({
      collector: collector.name,
      to: collector.to,
      outcome,
      ...(reasons.length === 0 ? {} : { reason: reasons.join("; ") }),
      began,
      ended,
      files,
      bytes,
      ...(over === 0 ? {} : { truncated: true }),
    }))

  const asked = yield* Effect.result(
    inTime(attempt("look at", root, () => Fs.promises.realpath(root, { encoding: "buffer" }))),
  )
  const real = Result.isSuccess(asked) ? Option.getOrUndefined(asked.success) : undefined
  const { leaveOut, tally, visitor } = makeTally(what, real ?? Buffer.from(root))
  if (Result.isFailure(asked)) {
    if (asked.failure.code === "ENOENT") return yield* ending("skipped", [`${root} is not there`], tally)
    const reason = whyNot(asked.failure)
    yield* leaveOut(Buffer.alloc(0), reason)
    yield* lists.flush
    return yield* ending("failed", [`${root}: ${reason}`], tally)
  }
  const walk = real === undefined ? undefined : yield* FolderWalk.make(real, visitor)
  const isDone = walk !== undefined && Option.isSome(yield* inTime(walk.run))
  let left = 0
  for (const path of isDone ? [] : (walk?.left() ?? [Buffer.alloc(0)])) {
    left++
    yield* leaveOut(path, cut)
  }
  yield* lists.flush
  const { over, unread, firstUnread } = tally
  const failures = [
    ...(left === 0 ? [] : [`${cut}: ${plural(left, "folder was", "folders were")} not looked at, or not at all of it`]),
    ...(unread === 0
      ? []
      : [`${plural(unread, "file or folder", "files or folders")} could not be read: ${firstUnread}`]),
  ]
  const reasons = over === 0 ? [] : [`${plural(over, "file is", "files are")} over the limit of ${collector.max_bytes}`]
  return yield* ending(failures.length === 0 ? "ok" : "failed", [...failures, ...reasons], tally)
}, Effect.scoped)

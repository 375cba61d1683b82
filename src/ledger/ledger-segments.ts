import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Actor } from "../domain/actor.ts"
import type { Event } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import { Acting } from "../services/acting.ts"
import * as AppendFile from "../services/append-file.ts"
import * as DurableFiles from "../services/durable-files.ts"
import * as FolderSize from "../services/folder-size.ts"
import * as FileLock from "../services/file-lock.ts"
import { Ids } from "../services/ids.ts"
import * as PatientFile from "../services/patient-file.ts"
import * as Chain from "./chain.ts"
import * as Checkpoint from "./checkpoint.ts"
import {
  LedgerFailed,
  notPurged,
  StreamBusy,
  StreamDamaged,
  StreamEnded,
  StreamMissing,
  StreamMoved,
  wasPurged,
} from "./errors.ts"
import { type After, Ledger, type Opened, type Writing } from "./ledger.ts"
import { type Author, type Head, genesis } from "./sealing.ts"
import * as KeptStreams from "./kept-streams.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"
import * as StreamWriter from "./stream-writer.ts"
import * as Testimony from "./testimony.ts"

/** How the segment files are written. */
export interface SegmentOptions {
  readonly folder: string
  readonly author: Author
  /** Longest time from an append to its flush when nobody waits for it, milliseconds. */
  readonly flushIntervalMillis: number
}

/** A stream's writer that stays open after an append. */
interface Kept {
  readonly writer: StreamWriter.StreamWriter
  readonly close: Effect.Effect<void>
}

/** A file as this process left it: its shape, the head of the stream in it, and its writer where that is still open. */
interface Left extends AppendFile.Shape {
  readonly head: Head
  readonly kept: Kept | undefined
}

/** A stream as this process verified it, and its file's time then. */
interface Verified {
  readonly chain: Chain.Chain
  readonly time: number
}

const newline = "\n".charCodeAt(0)

const failedBy = (stream: string) => (error: { readonly message: string }) =>
  new LedgerFailed({ stream, reason: error.message })

const refusedBy = (stream: string) => (error: FileLock.LockBusy | FileLock.LockFailed) =>
  error._tag === "LockFailed"
    ? failedBy(stream)(error)
    : new StreamBusy({ stream, ...(error.pid === undefined ? {} : { pid: error.pid }) })

const make = Effect.fnUntraced(function* (options: SegmentOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const clock = yield* Clock.Clock
  const ids = yield* Ids
  const pathOf = (stream: string) => path.join(options.folder, StreamName.segmentPath(stream))
  const context: StreamWriter.WriterContext = {
    author: options.author,
    now: () => clock.currentTimeMillisUnsafe(),
    uuid: ids.uuid,
  }

  const scope = yield* Effect.scope
  const lockOf = (stream: string) => `${pathOf(stream)}.lock`
  const lock = (stream: string, patience: number) =>
    Effect.mapError(FileLock.acquireWithin(lockOf(stream), patience), refusedBy(stream))
  const folderOf = (stream: string) =>
    DurableFiles.makeFolderDurably(path.dirname(pathOf(stream)), { mode: 0o700 }).pipe(
      Effect.mapError(failedBy(stream)),
    )
  /** The lock of a stream that is new; its folder may be new too. */
  const newLock = (stream: string) => {
    const acquire = FileLock.acquire(lockOf(stream))
    return Effect.catch(acquire, (error) => {
      if (error._tag === "LockBusy" || error.code !== "ENOENT") return Effect.fail(refusedBy(stream)(error))
      return Effect.andThen(folderOf(stream), Effect.mapError(acquire, refusedBy(stream)))
    })
  }
  const bytesOf = (stream: string) =>
    Effect.gen(function* () {
      const file = pathOf(stream)
      if (!(yield* fs.exists(file))) return new Uint8Array()
      return yield* fs.readFile(file)
    }).pipe(Effect.mapError(failedBy(stream)))
  const bytesFrom = (stream: string, offset: number, least = Infinity) => {
    const part = Number.isFinite(least) ? { offset, bytesToRead: least, chunkSize: least } : { offset }
    return Stream.mkUint8Array(fs.stream(pathOf(stream), part)).pipe(Effect.mapError(failedBy(stream)))
  }
  const appendTo = (stream: string, writing: Writing = {}, keepBytes?: number) => {
    const { audit = "required", flushMillis = options.flushIntervalMillis } = writing
    const file = {
      path: pathOf(stream),
      intervalMillis: flushMillis,
      ...(keepBytes === undefined ? {} : { keepBytes }),
    }
    const opened: Effect.Effect<AppendFile.AppendFile, DurableFiles.FileFailed, Scope.Scope> =
      audit === "required" ? AppendFile.open(file) : PatientFile.open({ ...file, now: context.now })
    return Effect.mapError(opened, failedBy(stream))
  }
  const writer = (stream: string, head: Head, file: AppendFile.AppendFile) =>
    StreamWriter.make(stream, StreamName.runOf(stream) ?? stream, head, file, context)

  const shapeOf = (stream: string) => AppendFile.shapeOf(pathOf(stream)).pipe(Effect.mapError(failedBy(stream)))

  /** Goes on with a stream from `start` on; `bytes` are what follows it. A torn end is cut and the cut recorded. */
  const goOn = Effect.fnUntraced(function* (
    stream: string,
    bytes: Uint8Array,
    start?: Chain.Start,
    said?: Testimony.Testimony,
    writing?: Writing,
  ) {
    const chain = Chain.read(stream, bytes, start)
    if (chain.fault && !Chain.isTornTail(bytes, chain, start?.bytes)) {
      return yield* new StreamDamaged({ stream, line: chain.fault.line, reason: chain.fault.reason })
    }
    const contradiction = Testimony.contradiction(chain, said)
    if (contradiction !== undefined) return yield* new StreamDamaged({ stream, ...contradiction })
    const file = yield* appendTo(stream, writing, chain.validBytes)
    const opened: Opened = { chain, writer: writer(stream, chain.head, file) }
    const torn = bytes.subarray(chain.validBytes - (start?.bytes ?? 0))
    if (torn.length > 0) {
      opened.writer.append({
        type: "dev.dandori.ledger.repaired.v1",
        data: { removedBytes: torn.length, removedSha256: Sha256.of(torn), after: chain.head.sequence },
      })
    }
    return opened
  })
  const open = (stream: string, said?: Testimony.Testimony, writing?: Writing) =>
    Effect.flatMap(bytesOf(stream), (bytes) => goOn(stream, bytes, undefined, said, writing))

  const verified = KeptStreams.make<Verified>()

  /** Reads a stream: of a file that has grown since this process verified it, only what was added, where that is kept. */
  const readGrowing = Effect.fnUntraced(function* (stream: string) {
    if (!(yield* fs.exists(pathOf(stream)).pipe(Effect.mapError(failedBy(stream))))) {
      return yield* new StreamMissing({ stream })
    }
    const before = verified.get(stream)
    const { bytes: size, time } = yield* shapeOf(stream)
    if (size === 0) return yield* new StreamMissing({ stream })
    if (size === before?.chain.validBytes && time === before.time) return before.chain
    verified.delete(stream)
    let chain: Chain.Chain
    if (before !== undefined && size > before.chain.validBytes) {
      const start = { head: before.chain.head, bytes: before.chain.validBytes }
      const rest = Chain.read(stream, yield* bytesFrom(stream, start.bytes), start)
      chain = { ...rest, entries: [...before.chain.entries, ...rest.entries] }
    } else {
      const bytes = yield* bytesOf(stream)
      if (bytes.length === 0) return yield* new StreamMissing({ stream })
      chain = Chain.read(stream, bytes)
    }
    if (chain.fault === undefined) verified.set(stream, { chain, time })
    return chain
  })

  const testimonies = RootTestimonies.make((from, least) =>
    Effect.flatMap(Effect.mapError(fs.exists(pathOf(StreamName.root)), failedBy(StreamName.root)), (isThere) =>
      isThere ? bytesFrom(StreamName.root, from, least) : Effect.succeed(new Uint8Array()),
    ),
  )

  const left = new Map<string, Left>()
  const turns = new Map<string, Semaphore.Semaphore>()
  const turnOf = (stream: string) => {
    const turn = turns.get(stream) ?? Semaphore.makeUnsafe(1)
    turns.set(stream, turn)
    return turn
  }

  /** A stream's writer, opened for an append: only what was added since it was last read or appended to is read. */
  const openForAppend = Effect.fnUntraced(function* (stream: string, before?: Left, after?: After) {
    const read = after?.bytes === undefined ? undefined : { head: after, bytes: after.bytes }
    const known = before ?? (stream === StreamName.root ? (yield* testimonies).end : read)
    if (known === undefined || known.bytes === 0) {
      const chain = yield* readGrowing(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
      if (chain === undefined || chain.fault !== undefined) return (yield* open(stream)).writer
      return writer(stream, chain.head, yield* appendTo(stream))
    }
    const now = yield* shapeOf(stream)
    if (now.bytes < known.bytes) {
      const reason = `its file has ${now.bytes} bytes, but had ${known.bytes} before: entries are missing`
      return yield* new StreamDamaged({ stream, line: known.head.sequence, reason })
    }
    if (before !== undefined && now.bytes === before.bytes) return (yield* open(stream)).writer
    return (yield* goOn(stream, yield* bytesFrom(stream, known.bytes), known)).writer
  })

  /** A stream's writer for one append: that of the last one, where nothing has happened to the file since. */
  const keptForAppend = Effect.fnUntraced(function* (stream: string, after: After | undefined) {
    const before = left.get(stream)
    if (before?.kept !== undefined) {
      if (AppendFile.isSame(before, yield* shapeOf(stream))) return before.kept
      left.set(stream, { ...before, kept: undefined })
      yield* before.kept.close
    }
    const own = yield* Scope.fork(scope)
    const close = Scope.close(own, Exit.void)
    const opened = openForAppend(stream, before, after).pipe(
      Scope.provide(own),
      Effect.onError(() => close),
    )
    return { writer: yield* opened, close } satisfies Kept
  })

  /** A stream that went away while it was looked at is not there. */
  const unlessPurged = <A, E, R>(stream: string, look: Effect.Effect<A, E, R>) =>
    Effect.catch(look, (error) =>
      Effect.flatMap(
        Effect.orElseSucceed(fs.exists(pathOf(stream)), () => true),
        (there): Effect.Effect<never, E | StreamMissing> => Effect.fail(there ? error : new StreamMissing({ stream })),
      ),
    )

  /** Appends under the stream's lock; undefined, and nothing of `events` is written, where the head is not `after`. */
  const appendHeld = (
    stream: string,
    events: ReadonlyArray<Event>,
    after?: After,
    by: ReadonlyArray<Actor | undefined> = [],
  ) =>
    Effect.gen(function* () {
      if (!left.has(stream)) yield* folderOf(stream)
      yield* lock(stream, 10_000)
      const kept = yield* keptForAppend(stream, after)
      left.delete(stream)
      const { close, writer } = kept
      return yield* Effect.gen(function* () {
        const isThere = after === undefined || writer.head().hash === after.hash
        const heads = isThere ? events.map((event, index) => writer.append(event, undefined, by[index])) : undefined
        yield* Effect.mapError(writer.durable, failedBy(stream))
        left.set(stream, { ...(yield* shapeOf(stream)), head: writer.head(), kept })
        return heads
      }).pipe(Effect.onError(() => close))
    }).pipe(Effect.scoped, turnOf(stream).withPermit)

  /** What the root says of a run that is to go on; one that was purged has ended. */
  const saidOf = Effect.fnUntraced(function* (stream: string) {
    if (StreamName.runOf(stream) === undefined) return undefined
    const { isPurged, of } = yield* testimonies
    return isPurged(stream) ? yield* new StreamEnded({ stream }) : of(stream)
  })

  /** The checkpoints from one on, smallest first; counted from the end where it is negative. */
  const readCheckpoints = (from: number) =>
    Effect.gen(function* () {
      const files = yield* Checkpoint.list(options.folder)
      return yield* Effect.forEach(files.slice(from), ({ name, path: place, size }) =>
        Effect.map(fs.readFileString(place), (text) => ({ name, place, size, text })),
      )
    }).pipe(
      Effect.provideService(FileSystem.FileSystem, fs),
      Effect.provideService(Path.Path, path),
      Effect.mapError(failedBy(StreamName.root)),
    )

  return Ledger.of({
    create: Effect.fnUntraced(function* (stream, writing) {
      if (StreamName.mayBePurged(stream, context.now()) && (yield* testimonies).isPurged(stream)) {
        return yield* wasPurged(stream)
      }
      yield* newLock(stream)
      const file = yield* appendTo(stream, writing)
      if (file.end() > 0) return yield* new LedgerFailed({ stream, reason: "it exists already" })
      return writer(stream, genesis(stream), file)
    }),
    reopen: Effect.fnUntraced(function* (stream, writing) {
      if (!(yield* fs.exists(pathOf(stream)).pipe(Effect.mapError(failedBy(stream))))) {
        return yield* new StreamMissing({ stream })
      }
      const said = yield* saidOf(stream)
      if (said !== undefined && said.closed.length > 0) {
        const contradiction = Testimony.contradiction(Chain.read(stream, yield* bytesOf(stream)), said)
        return yield* contradiction === undefined
          ? new StreamEnded({ stream })
          : new StreamDamaged({ stream, ...contradiction })
      }
      yield* lock(stream, 0)
      return yield* open(stream, said, writing)
    }),
    read: (stream) => unlessPurged(stream, readGrowing(stream)),
    bytes: Effect.fnUntraced(function* (stream, from = 0, least = Infinity) {
      if (!(yield* fs.exists(pathOf(stream)).pipe(Effect.mapError(failedBy(stream))))) {
        return yield* new StreamMissing({ stream })
      }
      return yield* unlessPurged(stream, bytesFrom(stream, from, least))
    }),
    owned: Effect.fnUntraced(function* (stream) {
      // Who owns a stream has made its lock: to look makes none.
      if (!(yield* Effect.mapError(fs.exists(lockOf(stream)), failedBy(stream)))) return false
      return yield* Effect.scoped(lock(stream, 0)).pipe(
        Effect.as(false),
        Effect.catchTag("StreamBusy", () => Effect.succeed(true)),
      )
    }),
    runs: Effect.gen(function* () {
      const folder = path.join(options.folder, "runs")
      if (!(yield* fs.exists(folder))) return []
      const names = yield* fs.readDirectory(folder, { recursive: true })
      return names.flatMap((name) => StreamName.runAt(`runs/${name}`) ?? []).toSorted()
    }).pipe(Effect.mapError(failedBy("runs"))),
    size: Effect.mapError(FolderSize.of(options.folder), failedBy("all streams")),
    // A file's bytes are all that there is of it.
    disorder: Effect.succeed({ strays: [], misplaced: [] }),
    record: (stream, events) =>
      Effect.flatMap(Acting, (by) =>
        Effect.asVoid(
          appendHeld(
            stream,
            events,
            undefined,
            events.map(() => by),
          ),
        ),
      ),
    schedules: Effect.gen(function* () {
      const folder = path.join(options.folder, "schedules")
      if (!(yield* fs.exists(folder))) return []
      const names = yield* fs.readDirectory(folder, { recursive: true })
      return names.flatMap((name) => StreamName.schedulesAt(`schedules/${name}`) ?? []).toSorted()
    }).pipe(Effect.mapError(failedBy("schedules"))),
    extend: (stream, after, events, by) =>
      Effect.flatMap(appendHeld(stream, events, after, by), (heads) =>
        heads === undefined ? Effect.fail(new StreamMoved({ stream })) : Effect.succeed(heads),
      ),
    testimonies,
    newestCheckpoint: Effect.map(readCheckpoints(-1), ([newest]) => newest),
    checkpoints: readCheckpoints(0),
    keepCheckpoint: (size, text) =>
      Effect.gen(function* () {
        const folder = path.join(options.folder, Checkpoint.folderName)
        yield* DurableFiles.makeFolderDurably(folder)
        yield* DurableFiles.writeFileDurably(path.join(folder, `${size}.txt`), text)
      }).pipe(Effect.mapError(failedBy(StreamName.root))),
    seal: (stream) =>
      AppendFile.seal(pathOf(stream)).pipe(
        Effect.mapError(failedBy(stream)),
        Effect.andThen(Effect.ignore(Effect.try(() => FileLock.forget(lockOf(stream))))),
      ),
    remove: (stream) =>
      Effect.gen(function* () {
        const isThere = fs.exists(pathOf(stream)).pipe(Effect.mapError(failedBy(stream)))
        if (!(yield* isThere)) return
        if (!(yield* testimonies).isPurged(stream)) return yield* notPurged(stream)
        yield* lock(stream, 0)
        verified.delete(stream)
        if (yield* isThere) {
          yield* DurableFiles.removeFileDurably(pathOf(stream)).pipe(Effect.mapError(failedBy(stream)))
        }
        yield* Effect.ignore(Effect.try(() => FileLock.forget(lockOf(stream))))
      }).pipe(Effect.scoped),
    discard: (stream) =>
      Effect.gen(function* () {
        yield* lock(stream, 0)
        const bytes = yield* bytesOf(stream)
        // A first entry that a crash tore was acknowledged to nobody, unless the root names it.
        if (bytes.includes(newline) || (bytes.length > 0 && RootTestimonies.isNamed(yield* testimonies, stream))) return
        const remove = (file: string) => fs.remove(file, { force: true }).pipe(Effect.mapError(failedBy(stream)))
        yield* remove(pathOf(stream))
        yield* remove(lockOf(stream))
      }).pipe(
        Effect.scoped,
        Effect.catchTag("StreamBusy", () => Effect.void),
      ),
  })
})

/** Segment files below `options.folder`: needs nothing but a local disk. */
export const layer = (options: SegmentOptions) => Layer.effect(Ledger, make(options))

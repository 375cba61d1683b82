import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SourceFile } from "../../../domain/collected.ts"
import type { EvacuationSection, FilesCollector } from "../../../domain/config/evacuation.ts"
import { parseSize } from "../../../domain/quantity.ts"
import type { Sha256 } from "../../../domain/sha256.ts"
import * as BufferPool from "./buffer-pool.ts"
import type { OpenReading, Piece, Reading, SourceFailed } from "./reading.ts"
import * as RedactedBytes from "../redaction/redacted-bytes.ts"
import type { Redactor } from "../redaction/redaction.ts"
import * as SourceFiles from "./source-file.ts"

const pooledBytes = 128 << 20
const redactedBytes = 256 << 10
/** What is read at once where it may not be read fast. */
const leastSlice = 64 << 10

/** Waits until so many bytes more may be read. */
type Pace = (bytes: number) => Effect.Effect<void>

/** A pace of bytes a second, which all that read share. */
const paceOf = (rate: number): Pace => {
  let free = 0
  return (bytes) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const at = Math.max(now, free)
      free = at + (bytes * 1_000) / rate
      return at > now ? Effect.sleep(Math.ceil(at - now)) : Effect.void
    })
}

/** As `fill`, at a pace. */
const paced = (source: SourceFiles.OpenSource, rate: number, pace: Pace): SourceFiles.OpenSource["fill"] =>
  Effect.fnUntraced(function* (buffer) {
    const slice = Math.max(leastSlice, Math.ceil(rate / 4))
    let filled = 0
    while (filled < buffer.length && source.left() > 0) {
      const part = buffer.subarray(filled, filled + Math.min(slice, source.left()))
      yield* pace(part.length)
      filled += yield* source.fill(part)
    }
    return filled
  })

/**
 * Opens sources for reading, each byte of which is read once. What goes through the redaction rules is sent through a
 * redactor of its own, which `redactorFor` makes anew each time. Pieces are in buffers that are used again when they are
 * released; the rate of a collector is that of all its files together.
 */
export const reading = ({
  redactorFor,
  section,
}: {
  readonly redactorFor: (file: SourceFile) => Redactor
  readonly section: Pick<EvacuationSection, "collectors">
}): OpenReading => {
  const pool = BufferPool.make(pooledBytes)
  const collectors = new Map(
    section.collectors.filter((each): each is FilesCollector => each.kind === "files").map((each) => [each.name, each]),
  )
  const paces = new Map<string, Pace>()
  const paceFor = (collector: string, rate: number): Pace => {
    const pace = paces.get(collector) ?? paceOf(rate)
    paces.set(collector, pace)
    return pace
  }
  const pieceOf = (buffer: Uint8Array, length: number): Piece => {
    let isReleased = false
    return {
      bytes: buffer.subarray(0, length),
      release: () => {
        if (!isReleased) pool.give(buffer)
        isReleased = true
      },
    }
  }

  const asItIs = (
    { changed, left, seen }: SourceFiles.OpenSource,
    fill: SourceFiles.OpenSource["fill"],
    pieceBytes: number,
  ): Reading => ({
    seen,
    next: Effect.gen(function* () {
      const length = Math.min(pieceBytes, left())
      if (length === 0) return undefined
      const buffer = pool.take(length, pieceBytes)
      const filled = yield* fill(buffer.subarray(0, length))
      if (filled > 0) return pieceOf(buffer, filled)
      pool.give(buffer)
      return undefined
    }),
    end: Effect.map(changed, (value) => ({ changed: value })),
  })

  const redacted = (
    { changed, left, seen }: SourceFiles.OpenSource,
    fill: SourceFiles.OpenSource["fill"],
    pieceBytes: number,
    redactor: Redactor,
  ): Reading => {
    const stream = RedactedBytes.of(redactor)
    const hasher = new Bun.CryptoHasher("sha256")
    const raw = new Uint8Array(Math.min(redactedBytes, Math.max(1, left())))
    let ready: Array<Uint8Array> = []
    let readyBytes = 0
    let bytes = 0
    let sha256: Sha256 | undefined
    const add = (part: Uint8Array) => {
      if (part.length > 0) ready.push(part)
      readyBytes += part.length
    }
    const advance: Effect.Effect<void, SourceFailed> = Effect.map(
      Effect.suspend(() => fill(raw)),
      (count) => {
        bytes += count
        hasher.update(raw.subarray(0, count))
        if (count > 0) add(stream.push(raw.subarray(0, count)))
        if (left() > 0) return
        add(stream.end())
        sha256 = hasher.digest("hex") as Sha256
      },
    )
    return {
      seen,
      next: Effect.gen(function* () {
        while (sha256 === undefined && readyBytes < pieceBytes) yield* advance
        if (readyBytes === 0) return undefined
        const length = Math.min(pieceBytes, readyBytes)
        const buffer = pool.take(length, pieceBytes)
        let filled = 0
        while (filled < length) {
          const part = ready[0].subarray(0, length - filled)
          buffer.set(part, filled)
          filled += part.length
          if (part.length === ready[0].length) ready.shift()
          else ready[0] = ready[0].subarray(part.length)
        }
        readyBytes -= length
        return pieceOf(buffer, length)
      }),
      end: Effect.gen(function* () {
        while (sha256 === undefined) yield* advance
        return { changed: yield* changed, original: { bytes, sha256 }, redactions: stream.counts() }
      }),
    }
  }

  return Effect.fnUntraced(function* (file, pieceBytes) {
    const collector = collectors.get(file.collector)
    const source = yield* SourceFiles.open(file, collector?.lines ?? false)
    const rate = collector?.rate === undefined ? undefined : parseSize(collector.rate)
    const fill = rate === undefined ? source.fill : paced(source, rate, paceFor(file.collector, rate))
    return file.redact ? redacted(source, fill, pieceBytes, redactorFor(file)) : asItIs(source, fill, pieceBytes)
  })
}

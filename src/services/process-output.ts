import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { LifeSign } from "./life-sign.ts"
import { Secrets } from "./secrets.ts"

/** Longest line that is handed on in one piece, in characters; longer ones come in pieces. */
export const longestLine = 65_536

const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff
const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff

/** Where a text can be cut, so that no part of a secret is left that could not be told from other text. */
export type Cuts = Pick<Secrets["Service"], "longest" | "around">

const anywhere: Cuts = { longest: () => 0, around: (_, at) => ({ from: at, to: at }) }

/** At most the last `keep` characters of a text, never half a surrogate pair, nor a part of a secret. */
export const tailOf = (text: string, keep: number, cuts: Cuts = anywhere): string => {
  if (text.length <= keep) return text
  const from = text.length - keep
  return text.slice(cuts.around(text, isLow(text.charCodeAt(from)) ? from + 1 : from).to)
}

/**
 * Cuts pieces of `longestLine` off a text until no more than `most` characters are left, the last of the pieces. A
 * secret is kept in one piece, even if that is longer.
 */
const piecesOf = (text: string, most: number, cuts: Cuts): Array<string> => {
  const pieces: Array<string> = []
  let left = text
  while (left.length > most) {
    const at = isHigh(left.charCodeAt(longestLine - 1)) ? longestLine - 1 : longestLine
    const { from, to } = cuts.around(left, at)
    pieces.push(left.slice(0, from > 0 ? from : to))
    left = left.slice(from > 0 ? from : to)
  }
  return [...pieces, left]
}

/**
 * Cuts text that comes in chunks into lines (LF or CRLF). `rest` is what has no line end yet: no more than `longestLine`
 * and the longest secret, which may go on in the next chunk.
 */
export const splitLines = (
  rest: string,
  chunk: string,
  cuts: Cuts = anywhere,
): { readonly lines: Array<string>; readonly rest: string } => {
  const parts = (rest + chunk).split("\n")
  const open = piecesOf(parts.pop() ?? "", longestLine + cuts.longest(), cuts)
  const last = open.pop() ?? ""
  const lines = parts.flatMap((part) => {
    const pieces = piecesOf(part, longestLine, cuts)
    const line = pieces.pop() ?? ""
    return [...pieces, line.endsWith("\r") ? line.slice(0, -1) : line]
  })
  return { lines: [...lines, ...open], rest: last }
}

/** One output stream of a child while it is read. */
export interface Output {
  /** The last characters so far, secrets in it whole. */
  readonly tail: () => string
  /** Milliseconds for which nothing came although we were ready to take it; 0 while a line is being handled, Infinity at the end. */
  readonly idleMillis: () => number
  /** Reads to the end, handing on each line; the child waits while a line is handled. Interruption lets go. */
  readonly pump: Effect.Effect<void>
}

/**
 * Reads a child's output stream: UTF-8 (invalid bytes become U+FFFD), in lines, keeping the last `keep` characters. Where
 * the fiber that reads has `Secrets`, neither a line nor the tail is cut within a secret. What comes is a `LifeSign`.
 */
export const makeOutput = (
  stream: ReadableStream<Uint8Array>,
  keep: number,
  onLine: ((line: string) => Effect.Effect<void>) | undefined,
): Output => {
  let kept = ""
  let cuts = anywhere
  let waitingSince: number | undefined
  let ended = false
  const pump = Effect.gen(function* () {
    cuts = Option.getOrElse(yield* Effect.serviceOption(Secrets), () => anywhere)
    const alive = yield* LifeSign
    const reader = stream.getReader()
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
    const next = Effect.callback<Uint8Array | undefined>((resume) => {
      waitingSince = performance.now()
      reader.read().then(
        (chunk) => resume(Effect.succeed(chunk.done ? undefined : chunk.value)),
        () => resume(Effect.succeed(undefined)),
      )
    })
    yield* Effect.gen(function* () {
      let rest = ""
      for (;;) {
        const bytes = yield* next
        waitingSince = undefined
        if (bytes !== undefined) alive()
        const text = bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
        kept = tailOf(kept + text, keep + cuts.longest())
        if (onLine !== undefined) {
          const cut = splitLines(rest, text, cuts)
          rest = cut.rest
          for (const line of cut.lines) yield* onLine(line)
          if (bytes === undefined && rest !== "") {
            for (const piece of piecesOf(rest, longestLine, cuts)) yield* onLine(piece)
          }
        }
        if (bytes === undefined) {
          ended = true
          return
        }
      }
    }).pipe(
      Effect.onInterrupt(() =>
        Effect.sync(() => {
          void reader.cancel().catch(() => undefined)
        }),
      ),
    )
  })
  return {
    tail: () => tailOf(kept, keep, cuts),
    idleMillis: () => (ended ? Infinity : waitingSince === undefined ? 0 : performance.now() - waitingSince),
    pump,
  }
}

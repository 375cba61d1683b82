import * as Effect from "effect/Effect"

/** Longest line that is handed on in one piece, in characters; longer ones come in pieces. */
export const longestLine = 65_536

const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff
const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff

/** The last `keep` characters of a text, never half a surrogate pair. */
export const tailOf = (text: string, keep: number): string => {
  if (text.length <= keep) return text
  const from = text.length - keep
  return text.slice(isLow(text.charCodeAt(from)) ? from + 1 : from)
}

/** Cuts text that comes in chunks into lines (LF or CRLF). `rest` is what has no line end yet. */
export const splitLines = (rest: string, chunk: string): { readonly lines: Array<string>; readonly rest: string } => {
  const lines: Array<string> = []
  const parts = (rest + chunk).split("\n")
  const last = parts.pop() ?? ""
  const cut = (text: string): string => {
    let left = text
    while (left.length > longestLine) {
      const at = isHigh(left.charCodeAt(longestLine - 1)) ? longestLine - 1 : longestLine
      lines.push(left.slice(0, at))
      left = left.slice(at)
    }
    return left
  }
  for (const part of parts) {
    const line = cut(part)
    lines.push(line.endsWith("\r") ? line.slice(0, -1) : line)
  }
  return { lines, rest: cut(last) }
}

/** One output stream of a child while it is read. */
export interface Output {
  /** The last characters so far. */
  readonly tail: () => string
  /** Milliseconds for which nothing came although we were ready to take it; 0 while a line is being handled, Infinity at the end. */
  readonly idleMillis: () => number
  /** Reads to the end, handing on each line; the child waits while a line is handled. Interruption lets go. */
  readonly pump: Effect.Effect<void>
}

/** Reads a child's output stream: UTF-8 (invalid bytes become U+FFFD), in lines, keeping the last `keep` characters. */
export const makeOutput = (
  stream: ReadableStream<Uint8Array>,
  keep: number,
  onLine: ((line: string) => Effect.Effect<void>) | undefined,
): Output => {
  let kept = ""
  let waitingSince: number | undefined
  let ended = false
  const pump = Effect.gen(function* () {
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
        const text = bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
        kept = tailOf(kept + text, keep)
        if (onLine !== undefined) {
          const cut = splitLines(rest, text)
          rest = cut.rest
          for (const line of cut.lines) yield* onLine(line)
          if (bytes === undefined && rest !== "") yield* onLine(rest)
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
    tail: () => kept,
    idleMillis: () => (ended ? Infinity : waitingSince === undefined ? 0 : performance.now() - waitingSince),
    pump,
  }
}

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { longestLine, makeOutput, splitLines, tailOf } from "../../src/services/process-output.ts"
import * as Secrets from "../../src/services/secrets.ts"

const streamOf = (chunks: ReadonlyArray<Uint8Array>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })

const chunked = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size))

const linesOf = async (chunks: ReadonlyArray<Uint8Array>, keep: number) => {
  const lines: Array<string> = []
  const output = makeOutput(streamOf(chunks), keep, (line) => Effect.sync(() => void lines.push(line)))
  await Effect.runPromise(output.pump)
  return { lines, tail: output.tail() }
}

describe("reading a child's output", () => {
  it("gives the same lines and the same text however the bytes are cut", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom("a", "é", "日", "🦀", "\r", "\uFEFF") }), { minLength: 1 }),
        fc.integer({ min: 1, max: 7 }),
        async (written, size) => {
          const text = written.join("\n")
          const { lines, tail } = await linesOf(chunked(new TextEncoder().encode(text), size), 1_000_000)
          const expected = text.split("\n").map((line, n, all) => (n < all.length - 1 ? line.replace(/\r$/, "") : line))
          assert.deepStrictEqual(lines, expected.at(-1) === "" ? expected.slice(0, -1) : expected)
          assert.strictEqual(tail, text)
        },
      ),
      { numRuns: 200 },
    ))

  it("replaces bytes that are no UTF-8 and goes on", async () => {
    const { lines } = await linesOf([new Uint8Array([0x61, 0xff, 0x62, 0x0a]), new Uint8Array([0x63, 0xe6])], 100)
    assert.deepStrictEqual(lines, ["a\uFFFDb", "c\uFFFD"])
  })

  it("hands on a line without end in bounded pieces that lose nothing and cut no character", () => {
    const text = "x" + "🦀".repeat(longestLine)
    const { lines, rest } = splitLines("", text)
    assert.isAtLeast(lines.length, 2)
    for (const line of lines) assert.isAtMost(line.length, longestLine)
    assert.strictEqual(lines.join("") + rest, text)
    assert.isTrue([...lines, rest].every((piece) => piece.isWellFormed()))
  })

  it("keeps a tail of at most the wanted length that cuts no character", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "🦀") }), fc.integer({ min: 1, max: 20 }), (text, keep) => {
        const tail = tailOf(text, keep)
        assert.isAtMost(tail.length, keep)
        assert.isAtLeast(tail.length, Math.min(text.length, keep) - 1)
        assert.isTrue(text.endsWith(tail) && tail.isWellFormed())
      }),
    )
  })
})

describe("reading a child's output that holds a secret", () => {
  const secret = "hunter2-correct-horse-battery"
  const keep = 1_000

  const read = (text: string, chunk: number) =>
    Effect.gen(function* () {
      const secrets = yield* Secrets.Secrets
      yield* secrets.resolve("${env:S}")
      const lines: Array<string> = []
      const output = makeOutput(streamOf(chunked(new TextEncoder().encode(text), chunk)), keep, (line) =>
        Effect.sync(() => void lines.push(secrets.redact(line))),
      )
      yield* output.pump
      return { lines, tail: secrets.redact(output.tail()) }
    }).pipe(Effect.provide(Secrets.layer({ project: "/", environment: { S: secret } })))

  const partsOf = Array.from({ length: secret.length - 5 }, (_, n) => secret.slice(n, n + 6))

  it("leaves no part of it in the tail, wherever the cut falls", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: keep - 40, max: keep + 5 }),
        fc.integer({ min: 7, max: 400 }),
        (after, chunk) =>
          Effect.runPromise(
            Effect.map(read(`${"x".repeat(500)}${secret}${"y".repeat(after)}`, chunk), ({ tail }) => {
              for (const part of partsOf) assert.notInclude(tail, part)
              assert.isAtLeast(tail.length, keep - secret.length)
              assert.isTrue(tail.endsWith("y".repeat(after - 5)))
            }),
          ),
      ),
      { numRuns: 60 },
    ))

  it("leaves no part of it in a line that is cut, with and without a line end, and loses nothing else", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: longestLine - 40, max: longestLine + 5 }),
        fc.constantFrom("", "\n"),
        fc.constantFrom(0, 10, 500),
        fc.constantFrom(999, 40_000, 200_000),
        (before, end, after, chunk) =>
          Effect.runPromise(
            Effect.map(read(`${"x".repeat(before)}${secret}${"y".repeat(after)}${end}`, chunk), ({ lines }) => {
              assert.strictEqual(lines.join(""), `${"x".repeat(before)}[secret S]${"y".repeat(after)}`)
            }),
          ),
      ),
      { numRuns: 40 },
    ))
})

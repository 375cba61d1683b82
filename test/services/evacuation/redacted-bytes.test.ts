import { assert, describe, it } from "@effect/vitest"
import * as Fc from "fast-check"
import * as LosslessText from "../../../src/services/evacuation/lossless-text.ts"
import * as RedactedBytes from "../../../src/services/evacuation/redacted-bytes.ts"

const key = "sk-0123456789abcdef"
const secrets = [key, "password=hunter2 ", "pässwörd段取り"]

/** A small redactor: keys, passwords, and one known secret that is not ASCII. */
export const redactor = (): RedactedBytes.Redactor => {
  let count = 0
  const replaced = (by: string) => () => {
    count++
    return by
  }
  return {
    text: (line) =>
      line
        .replace(/sk-[0-9a-f]{16}/g, replaced("[key]"))
        .replace(/(?<=password=)\S+/g, replaced("[password]"))
        .replaceAll("pässwörd段取り", replaced("[known]")),
    counts: () => [{ rule: "test", count }],
  }
}

/** Sends bytes through in pieces of these sizes, in a buffer that is used again. */
const sent = (stream: RedactedBytes.RedactedBytes, bytes: Uint8Array, sizes: ReadonlyArray<number>) => {
  const out: Array<Uint8Array> = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = new Uint8Array(bytes.subarray(at, at + sizes[turn % sizes.length]))
    out.push(Uint8Array.from(stream.push(piece)))
    piece.fill(0)
    at += piece.length
  }
  return Buffer.concat([...out, stream.end()])
}
const gone = (bytes: Uint8Array) => LosslessText.encode(redactor().text(LosslessText.decode(bytes)))

const noise = Fc.oneof(
  { weight: 4, arbitrary: Fc.string({ unit: "binary", maxLength: 30 }).map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: Fc.uint8Array({ maxLength: 30 }).map((each) => Buffer.from(each)) },
  {
    weight: 2,
    arbitrary: Fc.constantFrom("\n", "\r\n", "\n\n", " ", "sk-", "password", "\ufeff").map((text) => Buffer.from(text)),
  },
)
const sizes = Fc.array(Fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

describe("text of bytes", () => {
  it("loses no byte", () => {
    Fc.assert(
      Fc.property(Fc.array(noise, { maxLength: 6 }), (parts) => {
        const bytes = Buffer.concat(parts)
        assert.isTrue(LosslessText.encode(LosslessText.decode(bytes)).equals(bytes))
      }),
      { numRuns: 2_000 },
    )
  })

  it("is the text where the bytes are one, with what stands before it", () => {
    assert.strictEqual(LosslessText.decode(Buffer.from("\ufeffé段🗾")), "\ufeffé段🗾")
    assert.strictEqual(LosslessText.decode(Buffer.from([0x61, 0xe6, 0xae, 0xff, 0xc3, 0xa9])), "a\udce6\udcae\udcffé")
  })
})

describe("bytes that are redacted as they come", () => {
  it("lose a secret wherever it is split, and nothing else", () => {
    const before = Buffer.from("2026-11-27 é calls with ")
    const after = Buffer.from([0x20, 0xff, 0xfe, 0x0a, 0x62, 0x79, 0x65])
    for (const secret of secrets) {
      const bytes = Buffer.concat([before, Buffer.from(secret), after])
      for (let split = 1; split < bytes.length; split++) {
        const stream = RedactedBytes.of(redactor)
        assert.isTrue(sent(stream, bytes, [split, bytes.length]).equals(gone(bytes)))
        assert.deepStrictEqual(stream.counts(), [{ rule: "test", count: 1 }])
      }
    }
  })

  it("come out line by line as the redactor leaves each line, however they come in", () => {
    Fc.assert(
      Fc.property(
        Fc.array(
          Fc.oneof(
            noise,
            Fc.constantFrom(...secrets).map((text) => Buffer.from(text)),
          ),
          { maxLength: 12 },
        ),
        sizes,
        (parts, pieces) => {
          const bytes = Buffer.concat(parts)
          const lines = bytes
            .toString("latin1")
            .split("\n")
            .map((line) => gone(Buffer.from(line, "latin1")).toString("latin1"))
          const out = sent(RedactedBytes.of(redactor), bytes, pieces)
          assert.strictEqual(out.toString("latin1"), lines.join("\n"))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it("lose every secret of a line that never ends, and nothing else", () => {
    const plain = Fc.string({ unit: Fc.constantFrom(..."abc é段🗾=-"), maxLength: 90 })
    Fc.assert(
      Fc.property(
        Fc.array(Fc.tuple(plain, Fc.constantFrom(...secrets)), { minLength: 1, maxLength: 12 }),
        sizes,
        (parts, pieces) => {
          const bytes = Buffer.from(parts.map(([text, secret]) => `${text} ${secret}`).join(""))
          const stream = RedactedBytes.of(redactor, { window: 120, secret: 24 })
          assert.strictEqual(sent(stream, bytes, pieces).toString(), gone(bytes).toString())
          assert.deepStrictEqual(stream.counts(), [{ rule: "test", count: parts.length }])
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it("give out the beginning of a line that never ends, and keep no more than some windows of it", () => {
    const stream = RedactedBytes.of(redactor, { window: 4096, secret: 64 })
    let out = 0
    for (let turn = 0; turn < 200; turn++) {
      out += stream.push(Buffer.from("x".repeat(1024))).length
      assert.isAtMost((turn + 1) * 1024 - out, 4096 + 1024)
    }
    assert.strictEqual(out + stream.end().length, 200 * 1024)
  })

  it("cut a secret that is longer than anything, and lose all of it", () => {
    const long: () => RedactedBytes.Redactor = () => ({
      text: (line) => line.replace(/x{8,}/g, "[x]"),
      counts: () => [],
    })
    const stream = RedactedBytes.of(long, { window: 256, secret: 32 })
    const out = sent(stream, Buffer.from(`a${"x".repeat(50_000)}b`), [100])
    assert.match(out.toString(), /^a(\[x\])+b$/)
  })
})

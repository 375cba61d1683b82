import { assert, describe, it } from "@effect/vitest"
import * as Fc from "fast-check"
import * as LosslessText from "../../../../src/services/evacuation/redaction/lossless-text.ts"
import * as Redaction from "../../../../src/services/evacuation/redaction/redaction.ts"
import * as RedactedBytes from "../../../../src/services/evacuation/redaction/redacted-bytes.ts"

const secrets = ["sk-0123456789abcdef", "password=hunter2hunter2 ", "pässwörd段取り"]
/** What no output may hold of them. */
const words = ["0123456789abcdef", "hunter2hunter2", "wörd段取"]
const redactor = () => Redaction.make([{ name: "key", pattern: "sk-[0-9a-f]{16}" }], ["pässwörd段取り"])

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
        const stream = RedactedBytes.of(redactor())
        const out = sent(stream, bytes, [split, bytes.length])
        assert.isTrue(out.subarray(0, before.length).equals(before))
        assert.isTrue(out.subarray(-after.length).equals(after))
        for (const word of words) assert.strictEqual(out.indexOf(word), -1)
        assert.deepStrictEqual(
          stream.counts().map(({ count }) => count),
          [1],
        )
      }
    }
  })

  it("come out as the redactor leaves their whole text, however they come in", () => {
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
          const stream = RedactedBytes.of(redactor())
          assert.isTrue(sent(stream, bytes, pieces).equals(gone(bytes)))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it("lose every secret of a line that never ends, and nothing else", () => {
    const plain = Fc.tuple(
      Fc.string({ unit: Fc.constantFrom(..."abc é段🗾=-"), minLength: 1, maxLength: 90 }),
      Fc.integer({ min: 1, max: 400 }),
    ).map(([text, times]) => text.repeat(times))
    Fc.assert(
      Fc.property(
        Fc.array(Fc.tuple(plain, Fc.constantFrom(...secrets)), { minLength: 1, maxLength: 12 }),
        Fc.array(Fc.integer({ min: 1_000, max: 30_000 }), { minLength: 1, maxLength: 5 }),
        (parts, pieces) => {
          const bytes = Buffer.from(`${parts.map(([text, secret]) => `${text} ${secret}`).join("")}\nnext`)
          const out = sent(RedactedBytes.of(redactor(), 4096), bytes, pieces)
          assert.isTrue(out.equals(gone(bytes)))
          for (const word of words) assert.strictEqual(out.indexOf(word), -1)
        },
      ),
      { numRuns: 60 },
    )
  })

  it("lose a secret of a line that never ends wherever its parts meet", () => {
    const before = Buffer.from("é ".repeat(2_000))
    for (const secret of secrets) {
      const bytes = Buffer.concat([before, Buffer.from(`${secret} and more`)])
      for (let split = before.length; split <= bytes.length; split++) {
        const out = sent(RedactedBytes.of(redactor(), 4096), bytes, [split, bytes.length])
        assert.isTrue(out.equals(gone(bytes)))
        for (const word of words) assert.strictEqual(out.indexOf(word), -1)
      }
    }
  })

  it("keep a character that the redactor gives out in two halves", () => {
    let held = ""
    const halving: Redaction.Redactor = {
      text: (line) => line,
      part: (piece, ends) => {
        const all = held + piece
        held = ends ? "" : all.slice(-1)
        return ends ? all : all.slice(0, -1)
      },
      counts: () => [],
    }
    const bytes = Buffer.from("🗾".repeat(3_000))
    assert.isTrue(sent(RedactedBytes.of(halving, 64), bytes, [100]).equals(bytes))
  })

  it("keep every character of a line that never ends and offers no place for a cut", () => {
    const bytes = Buffer.from(`x${"🗾段é".repeat(400_000)}`)
    const stream = RedactedBytes.of(redactor(), 4096)
    let most = 0
    let given = 0
    const counted = {
      ...stream,
      push: (piece: Uint8Array) => {
        const out = stream.push(piece)
        given += piece.length - out.length
        most = Math.max(most, given)
        return out
      },
    }
    assert.isTrue(sent(counted, bytes, [150_000]).equals(bytes))
    assert.isBelow(most, bytes.length)
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readingOf } from "../../../src/services/evacuation/bytes-reading.ts"
import type { Reading } from "../../../src/services/evacuation/reading.ts"

const piecesOf = (reading: Reading) =>
  Effect.gen(function* () {
    const pieces: Array<string> = []
    for (let piece = yield* reading.next; piece !== undefined; piece = yield* reading.next) {
      pieces.push(Buffer.from(piece.bytes).toString())
      piece.release()
    }
    return pieces
  })

describe("a reading of bytes", () => {
  it.effect("gives them once, in pieces of the size that is asked for", () =>
    Effect.gen(function* () {
      const reading = yield* readingOf(Buffer.from("abcdefgh"), 1_700_000_000_123, 3)
      assert.deepStrictEqual(reading.seen, { bytes: 8, mtimeNs: "1700000000123000000", inode: "0" })
      assert.deepStrictEqual(yield* piecesOf(reading), ["abc", "def", "gh"])
      assert.deepStrictEqual(yield* piecesOf(reading), [])
      assert.deepStrictEqual(yield* reading.end, { changed: false })
    }),
  )

  it.effect("is one piece where no size is asked for, begins anew each time, and has none of no bytes", () =>
    Effect.gen(function* () {
      const reading = readingOf(Buffer.from("abc"))
      assert.deepStrictEqual(yield* piecesOf(yield* reading), ["abc"])
      assert.deepStrictEqual(yield* piecesOf(yield* reading), ["abc"])
      assert.deepStrictEqual(yield* piecesOf(yield* readingOf(new Uint8Array())), [])
    }),
  )
})

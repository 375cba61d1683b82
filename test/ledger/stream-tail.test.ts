import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Ledger } from "../../src/ledger/ledger.ts"
import { genesis, seal } from "../../src/ledger/sealing.ts"
import * as StreamTail from "../../src/ledger/stream-tail.ts"

const author = { source: "dandori://dev/test", authid: "tester", authtype: "user" } as const

/** Lines of a root stream: `count` runs that were opened, each with a text of so many characters. */
const linesOf = (count: number, characters = 10) => {
  let head = genesis("root")
  return Array.from({ length: count }, (_, index) => {
    const first = index.toString(16).padStart(64, "0")
    const data = { stream: `runs/${"x".repeat(characters)}`, first }
    const id = `00000000-0000-7000-8000-${index.toString(16).padStart(12, "0")}`
    const event = { type: "dev.dandori.stream.opened.v1", data } as Parameters<typeof seal>[2]
    const sealed = seal(head, author, event, { id, subject: "root", time: 0 })
    head = sealed.head
    return sealed.line
  })
}

const following = () => {
  let bytes = Buffer.alloc(0)
  const taken: Array<string> = []
  /** How many bytes were read at once. */
  const reads: Array<number> = []
  const tail = StreamTail.make(
    "root",
    (from, least) =>
      Effect.sync(() => {
        const part = new Uint8Array(bytes.subarray(from, from + least))
        reads.push(part.length)
        return part
      }),
    ({ sequence }) => void taken.push(sequence),
  )
  return {
    taken,
    reads,
    readOn: tail.readOn,
    become: (text: string) => {
      bytes = Buffer.from(text)
    },
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1))

describe("the end of a stream", () => {
  it.effect("gives each entry once, however it is cut where it is torn", () =>
    Effect.gen(function* () {
      const all = linesOf(8).join("")
      const { become, readOn, taken } = following()
      assert.strictEqual((yield* readOn).head.sequence, 0)
      for (let bytes = 0; bytes <= all.length; bytes += 37) {
        become(all.slice(0, bytes))
        const { bytes: read, head } = yield* readOn
        const there = all.slice(0, bytes).split("\n").length - 1
        assert.deepStrictEqual([head.sequence, read], [there, all.slice(0, bytes).lastIndexOf("\n") + 1])
        assert.deepStrictEqual(taken, numbers(there))
      }
      become(all)
      yield* readOn
      assert.deepStrictEqual(taken, numbers(8))
    }),
  )

  it.effect("reads much in pieces that end with lines, also lines longer than a piece", () =>
    Effect.gen(function* () {
      const { become, readOn, taken } = following()
      become([...linesOf(3, 3 << 20)].join(""))
      yield* readOn
      assert.deepStrictEqual(taken, numbers(3))
      const many = following()
      many.become(linesOf(6_000, 500).join(""))
      yield* many.readOn
      assert.deepStrictEqual(many.taken, numbers(6_000))
      assert.isAbove(many.reads.length, 3)
      assert.isBelow(Math.max(...many.reads), 1.1 * 2 ** 20)
    }),
  )

  it.effect("leaves out what a crash tore, however much that is", () =>
    Effect.gen(function* () {
      const lines = linesOf(6_000, 500).join("")
      for (const torn of ["\0".repeat(3 << 20), `${"\0".repeat(3 << 20)}\n${"\0".repeat(3 << 20)}`, '{"half']) {
        const { become, readOn, taken } = following()
        become(lines + torn)
        const { bytes, head } = yield* readOn
        assert.deepStrictEqual([bytes, head.sequence, taken.length], [lines.length, 6_000, 6_000])
        become(lines)
        yield* readOn
        become(`${lines}${torn}\n{"not":"an entry"}\n`)
        assert.strictEqual((yield* Effect.flip(readOn)).line, 6_001)
      }
    }),
  )

  it.effect("says where a stream is not any more as it was read, or goes on with something else", () =>
    Effect.gen(function* () {
      const lines = linesOf(5)
      const others = linesOf(5, 11)
      for (const [text, line] of [
        [lines.slice(0, 2).join(""), 3],
        ["", 3],
        [`${lines[0]}${lines[1]}${others[2]}${others[3]}`, 3],
        [`${lines.slice(0, 3).join("")}${others[3]}${others[4]}`, 4],
        [`${lines.slice(0, 3).join("")}${lines[4]}`, 4],
        [`${lines.slice(0, 3).join("")}{"not":"an entry"}\n${lines[3]}`, 4],
      ] as const) {
        const { become, readOn, taken } = following()
        become(lines.slice(0, 3).join(""))
        yield* readOn
        become(text)
        const refused = yield* Effect.flip(readOn)
        assert.deepInclude(refused, { _tag: "StreamDamaged", stream: "root", line }, text)
        assert.deepStrictEqual(taken, numbers(3))
        // It does not go on as if nothing had been.
        assert.strictEqual((yield* Effect.flip(readOn)).line, line)
        become(lines.join(""))
        yield* readOn
        assert.deepStrictEqual(taken, numbers(5))
      }
    }),
  )

  it.live("is read for one after the other of those who want the whole stream", () =>
    Effect.gen(function* () {
      const bytes = new TextEncoder().encode(linesOf(4_000, 500).join(""))
      let going = 0
      let most = 0
      const ledger = {
        bytes: (_stream: string, from = 0, least = Infinity) =>
          Effect.as(Effect.sleep(1), new Uint8Array(bytes.subarray(from, from + least))),
      } as unknown as Ledger["Service"]
      const taken = [0, 0, 0]
      const one = (index: number) =>
        StreamTail.whole(ledger, "root", ({ sequence }) => {
          if (sequence === "1") most = Math.max(most, ++going)
          if (sequence === "4000") going--
          taken[index]++
        })
      yield* Effect.all([one(0), one(1), one(2)], { concurrency: "unbounded" })
      assert.deepStrictEqual([taken, most], [[4_000, 4_000, 4_000], 1])
    }),
  )
})

import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Tar from "../../src/domain/tar.ts"

interface Content {
  readonly path: string
  readonly mtime: number
  readonly bytes: Uint8Array
}

const written = (contents: ReadonlyArray<Content>): Uint8Array => {
  const pieces = contents.flatMap(({ bytes, mtime, path }) => [
    Tar.headerOf({ path, mtime, bytes: bytes.length }),
    bytes,
    Tar.paddingAfter(bytes.length),
  ])
  const body = Buffer.concat(pieces)
  return new Uint8Array(Buffer.concat([body, Tar.endAfter(body.length)]))
}

const read = (tar: Uint8Array, step: number) => {
  const found: Array<Content> = []
  const reader = Tar.reader(({ mtime, path }) => {
    const pieces: Array<Uint8Array> = []
    return (piece, isLast) => {
      pieces.push(piece.slice())
      if (isLast) found.push({ path, mtime, bytes: new Uint8Array(Buffer.concat(pieces)) })
    }
  })
  let wrong: string | undefined
  for (let at = 0; at < tar.length && wrong === undefined; at += step) wrong = reader.take(tar.subarray(at, at + step))
  return { found, wrong: wrong ?? reader.end() }
}

const path = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 300 })
  .map((text) => text.replaceAll("\0", "0"))
  .filter((text) => text.isWellFormed())
const content = fc.record({
  path,
  mtime: fc.integer({ min: 0, max: 2 ** 33 - 1 }),
  bytes: fc.uint8Array({ maxLength: 1_100 }),
})

describe("a tar", () => {
  it("gives back what was put into it, in pieces of any length", () => {
    fc.assert(
      fc.property(fc.array(content, { maxLength: 5 }), fc.integer({ min: 1, max: 5_000 }), (contents, step) => {
        const tar = written(contents)
        assert.strictEqual(tar.length % 10_240, 0)
        assert.deepStrictEqual(read(tar, step), { found: contents, wrong: undefined })
      }),
      { numRuns: 300 },
    )
  })

  it("tells where anything but the members' own bytes was changed or it was cut off", () => {
    const contents = [
      { path: "captures/a", mtime: 5, bytes: new Uint8Array(700).fill(65) },
      { path: `captures/${"é".repeat(80)}`, mtime: 5, bytes: new Uint8Array(10).fill(66) },
    ]
    const tar = written(contents)
    for (let at = 0; at < tar.length; at++) {
      for (const by of [1, 2 + ((at * 7) % 254)]) {
        const altered = tar.slice()
        altered[at] ^= by
        const { found, wrong } = read(altered, 997)
        assert.isTrue(wrong !== undefined || JSON.stringify(found) !== JSON.stringify(contents), `byte ${at} by ${by}`)
      }
    }
    for (const length of [1, 511, 513, 1_300, 2_000]) assert.isDefined(read(tar.slice(0, length), 512).wrong)
  })

  it("holds a member of more than 8 GiB by a pax header", () => {
    const seen: Array<Tar.TarMember> = []
    const reader = Tar.reader((member) => {
      seen.push(member)
      return () => {}
    })
    const member = { path: "captures/large", bytes: 2 ** 33 + 5, mtime: 7 }
    assert.isUndefined(reader.take(Tar.headerOf(member)))
    assert.deepStrictEqual(seen, [member])
  })

  it("is refused where it has anything but regular files", () => {
    const header = Tar.headerOf({ path: "a", bytes: 0, mtime: 0 })
    header[156] += 2
    const sum = Number.parseInt(Buffer.from(header.subarray(148, 154)).toString(), 8) + 2
    header.set(Buffer.from(sum.toString(8).padStart(6, "0")), 148)
    assert.match(String(Tar.reader(() => () => {}).take(header)), /a is no regular file/)
  })
})

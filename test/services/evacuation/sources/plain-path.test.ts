import { assert, describe, it } from "@effect/vitest"
import * as Fc from "fast-check"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import { placeOf, plainName, shown } from "../../../../src/services/evacuation/sources/plain-path.ts"
import { keyProblem } from "../../../../src/services/object-store-key.ts"

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const raw = (...values: ReadonlyArray<number | string>) =>
  new Uint8Array(Buffer.concat(values.map((each) => Buffer.from(typeof each === "number" ? [each] : each))))

/** The bytes of a name that was made plain. */
const comesBack = (plain: string): Buffer =>
  Buffer.concat(
    [...plain.matchAll(/%([0-9A-F]{2})|([^%]+)/g)].map(([, hex, text]) =>
      hex === undefined ? Buffer.from(text) : Buffer.from(hex, "hex"),
    ),
  )

/** Names as file systems take them: any bytes but NUL and `/`, and more often what is worth a try. */
const byte = Fc.integer({ min: 1, max: 255 }).filter((each) => each !== 0x2f)
const name = Fc.oneof(
  { weight: 3, arbitrary: Fc.array(byte, { minLength: 1, maxLength: 255 }).map((each) => new Uint8Array(each)) },
  {
    weight: 3,
    arbitrary: Fc.array(Fc.constantFrom(0x2e, 0x25, 0x34, 0x41, 0xc3, 0xa9, 0xff), { minLength: 1, maxLength: 6 }).map(
      (each) => new Uint8Array(each),
    ),
  },
  {
    weight: 1,
    arbitrary: Fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).map((each) =>
      bytes(each.replaceAll(/[\0/]/g, "_")),
    ),
  },
  {
    weight: 2,
    arbitrary: Fc.constantFrom(
      ".",
      "..",
      ".a.tmp",
      ".\n.tmp",
      "long",
      "%6Cong",
      "a\nb",
      "\\",
      "é",
      "\u202e",
      "\ufeff",
    ).map(bytes),
  },
)
const path = Fc.array(name, { minLength: 1, maxLength: 8 }).map(
  (names) => new Uint8Array(Buffer.concat(names.flatMap((each, index) => (index === 0 ? [each] : [bytes("/"), each])))),
)

describe("the place of a file in the bundle", () => {
  it("keeps what is plain as it is", () => {
    for (const each of ["model_1.joblib", ".bashrc", "a b+c=d,é 段取り 🗾", "a.tmp", ".tmp", "x:y*z?"])
      assert.strictEqual(plainName(bytes(each)), each)
    assert.strictEqual(placeOf("logs", bytes("2026/train.log")), "logs/2026/train.log")
  })

  it("writes each byte that is not plain as %XX", () => {
    assert.strictEqual(plainName(raw("a", 0xff, "b")), "a%FFb")
    assert.strictEqual(plainName(raw("é", 0xc3)), "é%C3")
    assert.strictEqual(plainName(bytes("a\nb\\c%d")), "a%0Ab%5Cc%25d")
    assert.strictEqual(plainName(bytes("gpj.\u202eexe")), "gpj.%E2%80%AEexe")
    assert.deepStrictEqual([".", "..", ".a.tmp", ".\n.tmp"].map(bytes).map(plainName), [
      "%2E",
      "%2E.",
      "%2Ea.tmp",
      "%2E%0A.tmp",
    ])
  })

  it("makes any name plain, and the name comes back from it", () => {
    Fc.assert(
      Fc.property(name, (each) => {
        const plain = plainName(each)
        assert.isUndefined(keyProblem(plain))
        assert.notMatch(plain, /[\p{Cc}\p{Cf}\\/]/u)
        assert.isTrue(comesBack(plain).equals(each))
      }),
      { numRuns: 2_000 },
    )
  })

  it("gives two different paths two places, none of which is a folder of the other", () => {
    Fc.assert(
      Fc.property(path, path, (a, b) => {
        const [one, other] = [placeOf("c", a), placeOf("c", b)]
        for (const each of [one, other]) {
          assert.isUndefined(keyProblem(each))
          assert.isAtMost(Buffer.byteLength(each), 900)
          for (const part of each.split("/")) assert.isAtMost(Buffer.byteLength(part), 255)
        }
        if (Buffer.from(a).equals(b)) assert.strictEqual(one, other)
        else assert.notStrictEqual(one, other)
        const isBelow = (x: Uint8Array, y: Uint8Array) =>
          Buffer.from(x)
            .toString("latin1")
            .startsWith(`${Buffer.from(y).toString("latin1")}/`)
        if (one.startsWith(`${other}/`)) assert.isTrue(isBelow(a, b))
      }),
      { numRuns: 2_000 },
    )
  })

  it("keeps what would be too long by the digest of its path, where no name can lead", () => {
    const deep = bytes(`${"d/".repeat(500)}f`)
    assert.strictEqual(placeOf("logs", deep), `logs/long/${Sha256.of(deep)}`)
    const wide = bytes("é\n".repeat(85))
    assert.strictEqual(placeOf("logs", wide), `logs/long/${Sha256.of(wide)}`)
    assert.strictEqual(placeOf("logs", bytes(`long/${Sha256.of(deep)}`)), `logs/%6Cong/${Sha256.of(deep)}`)
    assert.strictEqual(placeOf("logs", bytes("long")), "logs/%6Cong")
    assert.strictEqual(placeOf("logs", bytes("a/long")), "logs/a/long")
  })

  it("shows people a path as it is, and what is no UTF-8 in it byte by byte", () => {
    assert.strictEqual(shown(bytes("/var/lög/a\n.log")), "/var/lög/a\n.log")
    assert.strictEqual(shown(raw("/var/é", 0xff, 0xc3, "/x")), "/var/é\\xff\\xc3/x")
  })
})

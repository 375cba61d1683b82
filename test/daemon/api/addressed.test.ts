import { assert, describe, it } from "@effect/vitest"
import * as Addressed from "../../../src/daemon/api/addressed.ts"
import * as RateLimit from "../../../src/daemon/api/rate-limit.ts"

describe("the name that a request is addressed to", () => {
  it("is read out of an authority, and is nothing where that is none", () => {
    const cases = [
      ["localhost", "localhost"],
      ["LocalHost:8470", "localhost"],
      ["dandori.example.", "dandori.example"],
      ["[::1]:8470", "::1"],
      ["10.0.0.1:80", "10.0.0.1"],
      ["", undefined],
      ["a b", undefined],
      ["user@localhost", undefined],
      ["localhost:80:80", undefined],
      ["localhost/evil", undefined],
      ["::1", undefined],
      ["évil.example", undefined],
    ] as const
    for (const [authority, name] of cases) assert.strictEqual(Addressed.nameIn(authority), name, authority)
  })

  it("is known where it is configured, this machine, or the very address that the request came to", () => {
    const known = new Set(["dandori.example"])
    assert.isTrue(Addressed.isKnown("dandori.example", "10.0.0.1", known))
    assert.isTrue(Addressed.isKnown("127.0.0.1", "10.0.0.1", known))
    assert.isTrue(Addressed.isKnown("10.0.0.1", "::ffff:10.0.0.1", known))
    assert.isFalse(Addressed.isKnown("10.0.0.2", "10.0.0.1", known))
    assert.isFalse(Addressed.isKnown("10.0.0.2", undefined, known))
    assert.isFalse(Addressed.isKnown("127.0.0.1.evil.example", "127.0.0.1", known))
    assert.isFalse(Addressed.isKnown("evil.example", "127.0.0.1", known))
  })
})

describe("the limit of requests", () => {
  it("is that of each address, and refills evenly", () => {
    const waitOf = RateLimit.make(60)
    for (let n = 0; n < 60; n++) assert.strictEqual(waitOf("a", 0), 0)
    assert.strictEqual(waitOf("a", 0), 1_000)
    assert.strictEqual(waitOf("b", 0), 0)
    assert.strictEqual(waitOf("a", 1_000), 0)
    assert.isAbove(waitOf("a", 1_000), 0)
    assert.strictEqual(waitOf("a", 61_000), 0)
    // Never more than a minute's worth at once.
    for (let n = 0; n < 60; n++) assert.strictEqual(waitOf("c", 1e9), 0)
    assert.isAbove(waitOf("c", 1e9), 0)
  })

  it("forgets the addresses that were not heard of for longest", () => {
    const waitOf = RateLimit.make(1)
    assert.strictEqual(waitOf("first", 0), 0)
    assert.isAbove(waitOf("first", 0), 0)
    for (let n = 0; n < 10_000; n++) waitOf(`address ${n}`, 0)
    assert.strictEqual(waitOf("first", 0), 0)
  })
})

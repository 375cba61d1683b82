import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { Entry } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Chain from "../../src/ledger/chain.ts"
import * as Sealing from "../../src/ledger/sealing.ts"

const stream = "runs/x"
const author = fc.record({
  source: fc.string({ unit: "grapheme" }),
  authid: fc.string({ unit: "grapheme" }),
  authtype: fc.constantFrom("user" as const, "service_account" as const, "system" as const),
})
const text = fc.string({ unit: "grapheme" })
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("json"), { maxLength: 3 }),
    fc.dictionary(
      fc.oneof(text, fc.constantFrom("10", "9", "entryhash", "datacontenttype", "__proto__x")),
      tie("json"),
      {
        maxKeys: 4,
      },
    ),
  ),
}))
const event = fc
  .record({ input: json, task: text })
  .map(({ input, task }) => ({ type: "dev.dandori.attempt.started.v1", data: { task, attempt: 1, input } }) as const)
const meta = fc.record({ id: fc.uuid(), subject: text, time: fc.integer({ min: 0, max: 4e12 }) })
const sealedEvents = fc
  .tuple(author, fc.array(fc.tuple(event, meta), { minLength: 1, maxLength: 6 }))
  .map(([by, events]) => {
    let head = Sealing.genesis(stream)
    return events.map(([what, about]) => {
      const sealed = Sealing.seal(head, by, what, about)
      head = sealed.head
      return sealed
    })
  })
const bytesOf = (lines: ReadonlyArray<string>) => new TextEncoder().encode(lines.join(""))

describe("sealing and reading a chain", () => {
  it("writes each line as the canonicaliser would, with the hash over it without `entryhash`, chained", () => {
    fc.assert(
      fc.property(sealedEvents, (sealed) => {
        let before = Sealing.genesis(stream).hash
        for (const [i, { line, head }] of sealed.entries()) {
          const { entryhash, ...rest } = JSON.parse(line)
          assert.strictEqual(line, `${CanonicalJson.encode({ ...rest, entryhash })}\n`)
          assert.strictEqual(entryhash, Sha256.of(CanonicalJson.encode(rest)))
          assert.strictEqual(rest.prevhash, before)
          assert.strictEqual(rest.sequence, String(i + 1))
          before = entryhash
          assert.deepStrictEqual(head, { sequence: i + 1, hash: entryhash })
        }
        const bytes = bytesOf(sealed.map(({ line }) => line))
        const chain = Chain.read(stream, bytes)
        assert.isUndefined(chain.fault)
        assert.strictEqual(chain.validBytes, bytes.length)
        assert.deepStrictEqual(chain.head, sealed.at(-1)?.head)
      }),
    )
  })

  it("finds a change of any one byte, in its line or in the next, and keeps what stands before", () => {
    fc.assert(
      fc.property(sealedEvents, fc.nat(), fc.integer({ min: 1, max: 255 }), (sealed, place, change) => {
        const bytes = bytesOf(sealed.map(({ line }) => line))
        const at = place % bytes.length
        bytes[at]! ^= change
        const line =
          bytesOf(sealed.map(({ line }) => line))
            .subarray(0, at)
            .filter((byte) => byte === 10).length + 1
        const chain = Chain.read(stream, bytes)
        assert.strictEqual(chain.fault?.line, line)
        assert.lengthOf(chain.entries, line - 1)
        assert.strictEqual(chain.validBytes, chain.fault?.offset)
      }),
    )
  })

  it("finds bytes that decode to the same text", () => {
    const sealed = Sealing.seal(
      Sealing.genesis(stream),
      { source: "s", authid: "a", authtype: "user" },
      { type: "dev.dandori.attempt.started.v1", data: { task: "\ufffd", attempt: 1 } },
      { id: "i", subject: "s", time: 0 },
    )
    const bytes = Buffer.from(sealed.line)
    const at = bytes.indexOf("\ufffd")
    const changed = Buffer.concat([bytes.subarray(0, at), Buffer.of(0xff), bytes.subarray(at + 3)])
    assert.strictEqual(changed.toString("utf8"), sealed.line)
    assert.strictEqual(Chain.read(stream, changed).fault?.reason, "line 1 is not UTF-8")
  })

  it("does not take a chain for another stream's, and refuses data that the type does not allow", () => {
    const seal = (data: unknown) =>
      Sealing.seal(
        Sealing.genesis(stream),
        { source: "s", authid: "a", authtype: "user" },
        { type: "dev.dandori.attempt.cancelled.v1", data } as never,
        { id: "i", subject: "s", time: 0 },
      )
    const good = bytesOf([seal({ task: "t", attempt: 1 }).line])
    assert.isUndefined(Chain.read(stream, good).fault)
    assert.include(Chain.read("runs/y", good).fault?.reason, "does not continue")
    assert.include(Chain.read(stream, bytesOf([seal({ task: "t" }).line])).fault?.reason, "does not allow")
  })

  it("refuses lines that say the same in another form", () => {
    const { line } = Sealing.seal(
      Sealing.genesis(stream),
      { source: "s", authid: "a", authtype: "user" },
      { type: "dev.dandori.attempt.started.v1", data: { task: "é", attempt: 1, input: { a: 1, b: 10 } } },
      { id: "i", subject: "s", time: 0 },
    )
    const rehash = (changed: string) => {
      const without = changed.replace(/"entryhash":"[0-9a-f]{64}",/, "")
      return changed.replace(/"entryhash":"[0-9a-f]{64}"/, `"entryhash":"${Sha256.of(without)}"`) + "\n"
    }
    const forms: ReadonlyArray<readonly [string, string]> = [
      [`"a":1,"b":10`, `"b":10,"a":1`],
      [`"b":10`, `"b":1e1`],
      [`"b":10`, `"b": 10`],
      [`é`, `\\u00e9`],
      [`"a":1,"b":10`, `"a":1,"a":1,"b":10`],
      [`"b":10`, `"b":"\\ud800"`],
    ]
    for (const [from, to] of forms) {
      assert.include(line, from)
      const fault = Chain.read(stream, bytesOf([rehash(line.trimEnd().replace(from, to))])).fault
      assert.strictEqual(fault?.kind, "altered", to)
      assert.include(fault?.reason, "canonical", to)
    }
  })

  it("reads texts in which a backslash stands before ud", () => {
    const author = { source: "s", authid: "a", authtype: "user" } as const
    for (const input of ["C:\\udata", "\\\\ud800", "\\ud800\\udc00", "😀\\ud"]) {
      const { line } = Sealing.seal(
        Sealing.genesis(stream),
        author,
        { type: "dev.dandori.attempt.started.v1", data: { task: "t", attempt: 1, input } },
        { id: "i", subject: "s", time: 0 },
      )
      const chain = Chain.read(stream, bytesOf([line]))
      assert.strictEqual(chain.fault, undefined, input)
      assert.deepStrictEqual(chain.entries[0]?.data, { task: "t", attempt: 1, input })
    }
  })

  it("checks an envelope as its Schema does", () => {
    const isEntry = Schema.is(Entry)
    const { line } = Sealing.seal(
      Sealing.genesis(stream),
      { source: "s", authid: "a", authtype: "user" },
      { type: "dev.dandori.attempt.started.v1", data: { task: "t", attempt: 1 } },
      { id: "i", subject: "s", time: 0 },
    )
    const entry = { ...JSON.parse(line), traceparent: "00-a" }
    const values = [undefined, null, 1, "", "1.0", "01", "0", "-1", "12", {}, "A".repeat(64), "a".repeat(64)]
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(entry)),
        fc.constantFrom(...values),
        fc.boolean(),
        (key, value, drop) => {
          const { [key]: _, ...rest } = entry
          const changed = drop ? rest : { ...entry, [key]: value }
          assert.strictEqual(Chain.isEntry(changed), isEntry(changed), `${key} ${JSON.stringify(value)} ${drop}`)
        },
      ),
      { numRuns: 500 },
    )
    assert.isTrue(Chain.isEntry(entry))
  })

  it("goes on from a known head with the same answer as from the start", () => {
    fc.assert(
      fc.property(sealedEvents, fc.nat(), (sealed, cut) => {
        const lines = sealed.map(({ line }) => line)
        const known = cut % (lines.length + 1)
        const bytes = bytesOf(lines)
        const start = {
          head: sealed[known - 1]?.head ?? Sealing.genesis(stream),
          bytes: bytesOf(lines.slice(0, known)).length,
        }
        const { entries, ...rest } = Chain.read(stream, bytes.subarray(start.bytes), start)
        const whole = Chain.read(stream, bytes)
        assert.deepStrictEqual(rest, { head: whole.head, validBytes: whole.validBytes, fault: whole.fault })
        assert.deepStrictEqual(entries, whole.entries.slice(known))
      }),
    )
  })
})

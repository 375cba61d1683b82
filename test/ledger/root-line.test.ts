import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { Entry, type Event, data as eventData } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Chain from "../../src/ledger/chain.ts"
import * as RootLine from "../../src/ledger/root-line.ts"
import * as Sealing from "../../src/ledger/sealing.ts"

const digest = fc.string().map(Sha256.of)
const name = fc.oneof(fc.string({ unit: "grapheme" }), fc.constant("runs/01900000-0001-7000-8000-000000000001"))
const event: fc.Arbitrary<Event> = fc.oneof(
  fc
    .record(
      { stream: name, first: digest, recovered: fc.constant(true as const) },
      { requiredKeys: ["stream", "first"] },
    )
    .map((data) => ({ type: "dev.dandori.stream.opened.v1", data }) as const),
  fc
    .record({ stream: name, entries: fc.nat(), head: digest })
    .map((data) => ({ type: "dev.dandori.stream.closed.v1", data }) as const),
  fc
    .record({ entries: fc.nat(), tree: name, keyid: digest })
    .map((data) => ({ type: "dev.dandori.ledger.checkpointed.v1", data }) as const),
  fc
    .record(
      { entries: fc.nat(), head: digest, rule: name, reason: name, run: fc.uuid({ version: 7 }), stream: name },
      { requiredKeys: ["entries", "head", "run", "stream"] },
    )
    .map((data) => ({ type: "dev.dandori.run.purged.v1", data }) as const),
)
const author = fc.record({
  source: fc.oneof(fc.constant("dandori://dev/host"), fc.string({ unit: "grapheme" })),
  authid: fc.oneof(fc.constant("tester"), fc.string({ unit: "grapheme" })),
  authtype: fc.constantFrom("user" as const, "system" as const),
})
const meta = fc.record({ id: fc.uuid(), subject: fc.constant("root"), time: fc.integer({ min: 0, max: 4e12 }) })
const rootLines = fc
  .tuple(author, fc.array(fc.tuple(event, meta), { minLength: 1, maxLength: 5 }))
  .map(([by, events]) => {
    let head = Sealing.genesis("root")
    return events.map(([what, about]) => {
      const sealed = Sealing.seal(head, by, what, about)
      head = sealed.head
      return sealed.line.trimEnd()
    })
  })
const usual = Sealing.seal(
  Sealing.genesis("root"),
  { source: "dandori://dev/host", authid: "tester", authtype: "user" },
  { type: "dev.dandori.stream.closed.v1", data: { stream: "runs/x", entries: 12, head: Sha256.of("x") } },
  { id: "i", subject: "root", time: 0 },
).line.trimEnd()

/** That a line which is taken by its form is what a full look at it would find. */
const isSound = (line: string) => {
  const entry = RootLine.parse(line)
  if (entry === undefined) return false
  assert.deepStrictEqual(entry, JSON.parse(line))
  assert.strictEqual(CanonicalJson.encode(entry), line)
  assert.isTrue(Schema.is(Entry)(entry), line)
  const schema = eventData[entry.type as keyof typeof eventData] as Schema.Schema<unknown>
  assert.isTrue(Schema.is(schema)(entry.data), line)
  return true
}

describe("a line of the root stream", () => {
  it("is read as any line is, whatever stands in it", () => {
    fc.assert(
      fc.property(rootLines, (lines) => {
        for (const line of lines) isSound(line)
        const chain = Chain.read("root", new TextEncoder().encode(`${lines.join("\n")}\n`))
        assert.isUndefined(chain.fault)
        assert.deepStrictEqual(
          chain.entries,
          lines.map((line) => JSON.parse(line)),
        )
        assert.deepStrictEqual(chain.entries.map(Chain.lineOf), lines)
      }),
    )
  })

  it("is taken by its form only where it is canonical, an event, and its data allowed", () => {
    assert.isTrue(isSound(usual))
    const piece = fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.constantFrom('"', "\\", "\\u0041", "1e1", "-", "0", " ", "é"),
    )
    fc.assert(
      fc.property(fc.nat(usual.length), fc.integer({ min: 0, max: 3 }), piece, (at, removed, added) => {
        isSound(usual.slice(0, at) + added + usual.slice(at + removed))
      }),
      { numRuns: 5_000 },
    )
    const changes: ReadonlyArray<readonly [string, string]> = [
      ['"entries":12', '"entries":012'],
      ['"entries":12', '"entries":1.5'],
      ['"entries":12', '"entries":9007199254740993'],
      ['"entries":12,', ""],
      ['"sequence":"1"', '"sequence":"0"'],
      ['"tester"', '"t\\u0065ster"'],
      [".closed.v1", ".opened.v1"],
      ["1.0", "1x0"],
      ["stream.closed", "streamxclosed"],
      ["}", "} "],
    ]
    for (const [from, to] of changes) {
      assert.include(usual, from)
      assert.isUndefined(RootLine.parse(usual.replace(from, to)), to)
    }
  })

  it("is altered where its hash does not fit, however usual its form", () => {
    const changed = usual.replace('"entries":12', '"entries":13')
    assert.isDefined(RootLine.parse(changed))
    const { fault } = Chain.read("root", new TextEncoder().encode(`${changed}\n`))
    assert.strictEqual(fault?.reason, "line 1 was changed: its hash does not fit its content")
  })
})

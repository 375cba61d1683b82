import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as PeopleText from "../../../../src/services/evacuation/report/people-text.ts"
import * as RecordMarkdown from "../../../../src/services/evacuation/report/record-markdown.ts"
import type { RecordDocument } from "../../../../src/services/evacuation/report/record-document.ts"

const none: ReadonlyMap<string, string> = new Map()
const names = ["impact", "hypothesis", "prevention"]

const document = (given: string): RecordDocument => ({
  title: given,
  badge: { badge: "PARTIAL", tone: "warn" },
  about: [given, { code: given }],
  sections: names.map((field) => ({
    title: given,
    blocks: [
      { kind: "text", text: [given, { alarm: given }, { code: given }] },
      { kind: "list", items: [[given], [{ code: given }]] },
      { kind: "table", heads: [given], rows: [[given], [{ code: given }], [[given, { code: given }]]], more: [given] },
      { kind: "group", title: given, open: false, blocks: [{ kind: "text", text: [given] }] },
      { kind: "people", field, hint: "the team: what they know." },
    ],
  })),
})

const marker = fc.constantFrom(
  "<!-- dandori:people impact -->",
  "<!-- dandori:end impact -->",
  "\n",
  "`",
  "|",
  "_",
  "<b>",
)
const foreign = fc
  .array(fc.oneof(marker, fc.string({ unit: "grapheme" })), { maxLength: 6 })
  .map((parts) => parts.join(""))

/** What people may write: any lines but those that name a field. */
const theirs = fc
  .array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 5 })
  .map((lines) =>
    lines
      .map((line) => line.replaceAll(/[\r\n]/g, ""))
      .join("\n")
      .trim(),
  )
  .filter((text) => text !== "" && !text.includes("dandori:") && !/^_To be filled in by .*_$/.test(text))

const fillIn = (text: string, field: string, words: string) =>
  text.replace(
    `<!-- dandori:people ${field} -->\n_To be filled in by the team: what they know._`,
    () => `<!-- dandori:people ${field} -->\n${words}`,
  )

describe("people's text in a record that is generated", () => {
  it("is found in its fields, whatever else the record holds, and nothing is found where nobody wrote", () => {
    fc.assert(
      fc.property(foreign, (given) => {
        assert.deepStrictEqual(PeopleText.read(RecordMarkdown.render(document(given), none)), {
          kept: new Map(),
          intact: true,
        })
      }),
      { numRuns: 500 },
    )
  })

  it("stays, word for word, however often the record is made anew of other things", () => {
    fc.assert(
      fc.property(foreign, foreign, theirs, theirs, (before, after, impact, prevention) => {
        const first = RecordMarkdown.render(document(before), none)
        const filled = fillIn(fillIn(first, "impact", impact), "prevention", prevention)
        const found = PeopleText.read(filled)
        assert.isTrue(found.intact)
        assert.deepStrictEqual(
          [...found.kept],
          [
            ["impact", impact],
            ["prevention", prevention],
          ],
        )
        const again = PeopleText.read(RecordMarkdown.render(document(after), found.kept))
        assert.deepStrictEqual(again, found)
      }),
      { numRuns: 300 },
    )
  })

  it("is seen to be elsewhere too when anything outside of the fields was changed, or a field lost its lines", () => {
    const text = RecordMarkdown.render(document("disk errors"), none)
    const lines = text.split("\n")
    const open = lines.findIndex((line) => line.startsWith("<!-- dandori:people"))
    for (let at = 0; at < lines.length - 1; at++) {
      const changed = lines.with(at, `${lines[at]}x`).join("\n")
      // The line of a field that nobody has filled in is people's.
      const isTheirs = (lines[at - 1] ?? "").startsWith("<!-- dandori:people")
      assert.strictEqual(PeopleText.read(changed).intact, isTheirs, lines[at])
    }
    assert.isFalse(PeopleText.read(lines.toSpliced(open, 1).join("\n")).intact)
    assert.isFalse(PeopleText.read("").intact)
    assert.isFalse(PeopleText.read("our own notes\n").intact)
  })
})

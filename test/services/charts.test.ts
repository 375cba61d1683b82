import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Charts from "../../src/services/charts.ts"
import * as HtmlPage from "../../src/services/html-page.ts"

const svgOf = (image: string) => Buffer.from(/base64,([^"]+)"/.exec(image)?.[1] ?? "", "base64").toString()

describe("charts", () => {
  it.effect("draws the same option as the same bytes, however many charts came before", () =>
    Effect.gen(function* () {
      const draw = Charts.timeLines("Equity", [
        {
          name: "a",
          points: [
            [0, 1],
            [3_600_000, Number.NaN],
            [7_200_000, 2],
          ],
        },
      ])
      const first = yield* draw
      yield* Charts.histogram("other", [1, 2, 3])
      assert.strictEqual(yield* draw, first)
      assert.match(svgOf(first), /^<svg /)
    }),
  )

  it.effect("escapes titles and names", () =>
    Effect.gen(function* () {
      const image = yield* Charts.bars(`"><script>`, [["<b>", 1]])
      assert.notInclude(image, "<script>")
      assert.notInclude(svgOf(image), "<script>")
      assert.notInclude(svgOf(image), "<b>")
    }),
  )

  it.effect("draws a histogram of values that are all equal, and of none", () =>
    Effect.gen(function* () {
      assert.include(svgOf(yield* Charts.histogram("h", [2, 2, 2])), "<path")
      assert.include(svgOf(yield* Charts.histogram("h", [Number.NaN])), "<svg")
    }),
  )
})

describe("an HTML page", () => {
  it("escapes text in titles, cells, headings and badges, and loads nothing", () => {
    const bad = `<img src=x onerror="a('b')">&`
    const html = HtmlPage.page(bad, HtmlPage.badge(bad, "bad"), [
      HtmlPage.section(bad, HtmlPage.table([bad], [[bad], [1]])),
    ])
    assert.notInclude(html, "<img")
    assert.include(html, "&#60;img src=x onerror=&#34;a(&#39;b&#39;)&#34;&#62;&#38;")
    assert.include(html, "default-src 'none'")
  })
})

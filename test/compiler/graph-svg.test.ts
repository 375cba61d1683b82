import { assert, describe, it } from "@effect/vitest"
import * as GraphSvg from "../../src/compiler/graph-svg.ts"
import { plan, task } from "./plan-sides.ts"

const drawn = GraphSvg.draw(
  plan([
    task("seed"),
    task("check", { type: "dq", needs: ["seed"], if: 'params.x < "<&>"' }),
    task("publish", { effects: "once", needs: ["check", "seed"] }),
    task("report", { type: "notify", block: "finally" }),
  ]),
)

/** Attributes of the elements of a class, in order. */
const numbers = (pattern: RegExp) => [...drawn.matchAll(pattern)].map(([, ...values]) => values.map(Number))

describe("an SVG graph", () => {
  it("is one well-formed drawing that refers to nothing outside", () => {
    const open: Array<string> = []
    for (const [, closing, name, self] of drawn.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (closing === "/") assert.strictEqual(open.pop(), name)
      else if (self !== "/") open.push(name)
    }
    assert.deepStrictEqual(open, [])
    assert.match(drawn, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /)
    assert.notMatch(drawn.replace('xmlns="http://www.w3.org/2000/svg"', ""), /https?:|href|@import|url\(/)
  })

  it("escapes what conditions say", () => {
    assert.include(drawn, "if params.x &lt; &quot;&lt;&amp;&gt;&quot;")
  })

  it("has a box for every task and a tip for every need", () => {
    assert.lengthOf(drawn.match(/<rect class="box"/g) ?? [], 4)
    assert.lengthOf(drawn.match(/<path class="tip"/g) ?? [], 3)
  })

  it("marks what acts on the outside and what has a condition", () => {
    assert.lengthOf(drawn.match(/<g class="task acts">/g) ?? [], 1)
    assert.lengthOf(drawn.match(/<g class="task condition">/g) ?? [], 1)
    assert.include(drawn, "tinted: acts once, outside")
  })

  it("has colours for light and for dark", () => {
    assert.include(drawn, "@media (prefers-color-scheme: dark)")
  })

  it("keeps every box inside the picture and apart from the others", () => {
    const [[width, height]] = numbers(/<svg [^>]*width="(\d+)" height="(\d+)"/g)
    const boxes = numbers(/<rect class="box" x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"/g)
    boxes.forEach(([x, y, w, h], i) => {
      assert.isTrue(x >= 0 && y >= 0 && x + w <= width && y + h <= height)
      for (const [x2, y2, w2, h2] of boxes.slice(i + 1)) {
        assert.isTrue(x + w <= x2 || x2 + w2 <= x || y + h <= y2 || y2 + h2 <= y)
      }
    })
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as GraphDot from "../../src/compiler/graph-dot.ts"
import { drawn } from "../../src/compiler/graph-groups.ts"
import * as GraphMermaid from "../../src/compiler/graph-mermaid.ts"
import * as GraphTerminal from "../../src/compiler/graph-terminal.ts"
import type { Plan, PlanTask } from "../../src/domain/plan.ts"

const task = (id: string, needs: ReadonlyArray<string> = [], more: Partial<PlanTask> = {}): PlanTask => ({
  id,
  type: id,
  version: 1,
  effects: "pure",
  needs,
  with: {},
  ...more,
})

const plan = (...tasks: ReadonlyArray<PlanTask>): Plan => ({
  format: 1,
  id: "p",
  params: {},
  env: [],
  audit: "required",
  tasks,
})

const sample = plan(
  task("seed"),
  task("eur", ["seed"], { type: "dq" }),
  task("gbp", ["seed"]),
  task("train", ["eur", "gbp", "seed"]),
  task("report", [], { type: "notify", block: "finally", if: 'run.status != "succeeded"' }),
)

/** Plans of a few tasks that need earlier ones. */
const plans = FastCheck.integer({ min: 1, max: 12 })
  .chain((size) =>
    FastCheck.tuple(
      ...Array.from({ length: size }, (_, n) =>
        FastCheck.subarray(
          Array.from({ length: n }, (__, i) => `t${i}`),
          { maxLength: Math.min(3, n) },
        ),
      ),
    ),
  )
  .map((needs) => plan(...needs.map((own, n) => task(`t${n}`, own))))

describe("a graph for the terminal", () => {
  it("has boxes in levels, lines to what needs them, and blocks apart", () => {
    assert.strictEqual(
      GraphTerminal.draw(sample),
      `       ┌──────┐
       │ seed │
       └───┬──┘
   ┌───────┴┬─────┐
┌──┴──┐  ┌──┴──┐  │
│ eur │  │ gbp │  │
│ dq  │  └──┬──┘  │
└──┬──┘     │     │
   └───────┐│     │
           ├┘     │
           ├──────┘
       ┌───┴───┐
       │ train │
       └───────┘

finally:
┌──────────┐
│ report ? │
│ notify   │
└──────────┘
`,
    )
  })

  it("joins only what belongs together: each end of a line meets a box or another line", () => {
    const opens: Record<string, string> = {
      "│": "ud",
      "─": "lr",
      "┌": "dr",
      "┐": "dl",
      "└": "ur",
      "┘": "ul",
      "├": "udr",
      "┤": "udl",
      "┬": "dlr",
      "┴": "ulr",
      "┼": "udlr",
    }
    FastCheck.assert(
      FastCheck.property(plans, (drawn) => {
        const rows = GraphTerminal.draw(drawn).split("\n")
        rows.forEach((row, y) => {
          ;[...row].forEach((char, x) => {
            const sides = opens[char] ?? ""
            if (sides.includes("d"))
              assert.include(opens[rows[y + 1]?.[x] ?? ""] ?? "", "u", `below ${x},${y}\n${rows.join("\n")}`)
            if (sides.includes("u"))
              assert.include(opens[rows[y - 1]?.[x] ?? ""] ?? "", "d", `above ${x},${y}\n${rows.join("\n")}`)
          })
        })
      }),
    )
  })

  it("names every task once", () => {
    FastCheck.assert(
      FastCheck.property(plans, (drawn) => {
        const words = GraphTerminal.draw(drawn).match(/t\d+/g) ?? []
        assert.deepStrictEqual(words.toSorted(), drawn.tasks.map(({ id }) => id).toSorted())
      }),
    )
  })

  it("of more than fifty tasks is a list with what each needs", () => {
    const many = Array.from({ length: 51 }, (_, n) => task(`t${n}`, n === 0 ? [] : [`t${n - 1}`], { type: "command" }))
    const lines = GraphTerminal.draw(plan(...many)).split("\n")
    assert.strictEqual(lines[0], "t0 (command)")
    assert.strictEqual(lines[50], "t50 (command) ← t49")
  })

  it("too wide to draw is a list, too", () => {
    const wide = Array.from({ length: 30 }, (_, n) => task(`a_rather_long_name_${n}`))
    assert.strictEqual(GraphTerminal.draw(plan(...wide)).split("\n").length, 31)
  })
})

describe("a Mermaid graph", () => {
  it("has nodes, edges, blocks as subgraphs, and no text that Mermaid would read", () => {
    assert.strictEqual(
      GraphMermaid.draw(sample),
      `flowchart TD
  n0["seed"]
  n1["eur (dq)"]
  n2["gbp"]
  n3["train"]
  subgraph finally_block["finally"]
    n4["report (notify)<br/>if run.status != #34;succeeded#34;"]
  end
  n0 --> n1
  n0 --> n2
  n1 --> n3
  n2 --> n3
  n0 --> n3
`,
    )
  })
})

describe("a DOT graph", () => {
  it("has nodes, edges, blocks as clusters, and quotes escaped", () => {
    assert.strictEqual(
      GraphDot.draw(sample),
      `digraph "p" {
  rankdir=TB;
  node [shape=box];
  "seed" [label="seed"];
  "eur" [label="eur\\ndq"];
  "gbp" [label="gbp"];
  "train" [label="train"];
  subgraph "cluster_finally" {
    label="finally";
    "report" [label="report\\nnotify\\nif run.status != \\"succeeded\\""];
  }
  "seed" -> "eur";
  "seed" -> "gbp";
  "eur" -> "train";
  "gbp" -> "train";
  "seed" -> "train";
}
`,
    )
  })

  it("keeps ids of sub-pipelines and of instances whole", () => {
    const text = GraphDot.draw(plan(task("a/b"), task("m[0]", ["a/b"])))
    assert.include(text, '"a/b" -> "m[0]";')
  })
})

describe("a graph of groups", () => {
  it("leads through a sub-pipeline, whatever it holds, and marks a matrix", () => {
    const group = { pipeline: { params: {}, outputs: {} } }
    const { tasks } = drawn(
      plan(
        task("many", [], { matrix: { values: { n: [1] } } }),
        task("sub", ["many"], group),
        task("sub/a"),
        task("sub/in", ["sub/a"], group),
        task("sub/in/x"),
        task("sub/b", ["sub/a"]),
        task("sub/fix", [], { block: "onFailure" }),
        task("sub/end", [], { block: "finally" }),
        task("after", ["sub"]),
        task("last", [], { ...group, block: "finally" }),
        task("last/one"),
      ),
    )
    assert.deepStrictEqual(
      tasks.map(({ id, needs }) => [id, needs]),
      [
        ["many ×", []],
        ["sub", ["many ×"]],
        ["sub/a", ["sub"]],
        ["sub/in", ["sub/a"]],
        ["sub/in/x", ["sub/in"]],
        ["sub/b", ["sub/a"]],
        ["sub/fix (onFailure)", ["sub/in/x", "sub/b"]],
        ["sub/end (finally)", ["sub/in/x", "sub/b", "sub/fix (onFailure)"]],
        ["after", ["sub/end (finally)"]],
        ["last", []],
        ["last/one", ["last"]],
      ],
    )
    assert.deepStrictEqual(tasks.map(({ block }) => block).slice(-3), [undefined, "finally", "finally"])
  })
})

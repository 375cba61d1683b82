import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as OpenMetrics from "../../src/exporters/open-metrics.ts"
import * as Reader from "../support/open-metrics-reader.ts"

const counter: OpenMetrics.Family = { name: "runs", type: "counter", help: "Runs." }
const latency: OpenMetrics.Family = { name: "wait_seconds", type: "histogram", unit: "seconds", help: "Waiting." }
const info: OpenMetrics.Family = { name: "build", type: "info", help: "Which." }
const gauge: OpenMetrics.Family = { name: "store_bytes", type: "gauge", unit: "bytes", help: "Size." }

const text = fc.string({ unit: "binary", maxLength: 12 })
const tricky = fc.oneof(text, fc.stringMatching(/^[\\"\n{}=, #a]{0,8}$/))
const value = fc.oneof(fc.double(), fc.maxSafeInteger(), fc.constantFrom(Infinity, -Infinity, NaN, 1e21, 1e-7))

const families: fc.Arbitrary<ReadonlyArray<readonly [OpenMetrics.Family, ReadonlyArray<OpenMetrics.Sample>]>> = fc
  .record({
    // The reader takes spaces off both ends of a help.
    help: tricky.map((text) => `(${text})`),
    shown: fc.uniqueArray(fc.tuple(tricky, tricky), { selector: (pair) => JSON.stringify(pair), maxLength: 4 }),
    values: fc.array(value, { minLength: 4, maxLength: 4 }),
    counts: fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
    sum: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  })
  .map(({ counts, help, shown, sum, values }) => {
    const samples = shown.map(([a, b], index) => ({ labels: { a, b }, value: values[index] }))
    const [one, two, three] = counts
    const distribution = {
      buckets: [
        [0.005, one],
        [1, one + two],
      ] as const,
      count: one + two + three,
      sum,
    }
    return [
      [{ ...gauge, help }, samples],
      [counter, [{ labels: {}, value: one }]],
      [latency, [{ labels: { a: help }, value: distribution }]],
    ]
  })

/** A number as Python prints it. */
const python = (number: number): number => (Object.is(number, -0) ? 0 : number)
const number = (printed: string): number =>
  /inf/.test(printed) ? (printed[0] === "-" ? -Infinity : Infinity) : Number(printed)

describe("OpenMetrics", () => {
  it("has type, unit and help before the samples, a suffix by the type, and an end", () => {
    const rendered = OpenMetrics.render([
      [info, [{ labels: { version: "1.0" }, value: 1 }]],
      [counter, [{ labels: { status: "failed" }, value: 3 }]],
      [gauge, []],
      [
        latency,
        [
          {
            labels: {},
            value: {
              buckets: [
                [0.1, 1],
                [1, 3],
                [Infinity, 3],
              ],
              count: 4,
              sum: 12.5,
            },
          },
        ],
      ],
    ])
    assert.strictEqual(
      rendered,
      `# TYPE build info
# HELP build Which.
build_info{version="1.0"} 1
# TYPE runs counter
# HELP runs Runs.
runs_total{status="failed"} 3
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
# HELP wait_seconds Waiting.
wait_seconds_bucket{le="0.1"} 1
wait_seconds_bucket{le="1.0"} 3
wait_seconds_bucket{le="+Inf"} 4
wait_seconds_count 4
wait_seconds_sum 12.5
# EOF
`,
    )
    assert.strictEqual(OpenMetrics.render([]), "# EOF\n")
  })

  it.live("is read by another program as it was meant, whatever stands in a label or a help", () =>
    Effect.gen(function* () {
      const documents = fc.sample(families, { numRuns: 300, seed: 1 })
      const read = yield* Reader.read(documents.map(OpenMetrics.render))
      assert.strictEqual(read.length, documents.length)
      for (const [index, document] of documents.entries()) {
        const found = read[index]
        if (typeof found === "string") assert.fail(`${found}\n${OpenMetrics.render(document)}`)
        const written = document.filter(([, samples]) => samples.length > 0)
        assert.deepStrictEqual(
          found.map(({ help, name, type, unit }) => [name, type, unit, help]),
          written.map(([{ help, name, type, unit = "" }]) => [name, type, unit, help.toWellFormed()]),
        )
        for (const [at, [{ type }, samples]] of written.entries()) {
          if (type === "histogram") {
            const { count, sum } = samples[0].value as OpenMetrics.Distribution
            assert.deepStrictEqual(
              found[at].samples.slice(-3).map(([, , printed]) => number(printed)),
              [count, count, sum].map(python),
            )
            continue
          }
          assert.deepStrictEqual(
            found[at].samples.map(([, labels, printed]) => [labels, python(number(printed))]),
            samples.map(({ labels, value }) => [
              Object.fromEntries(Object.entries(labels).map(([name, text]) => [name, text.toWellFormed()])),
              python(value as number),
            ]),
          )
        }
      }
    }),
  )
})

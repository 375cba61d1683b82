import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { happenings } from "../../src/exporters/happening.ts"
import * as OtlpMetrics from "../../src/exporters/otlp-metrics.ts"
import * as OtlpTrace from "../../src/exporters/otlp-trace.ts"
import * as Runs from "./exported-runs.ts"
import * as Receiver from "./otlp-receiver.ts"

const traceBody = ({ entries, run }: Runs.Exported) => {
  const spans = [...OtlpTrace.spans(run, entries)].map(({ span }) => span)
  return JSON.stringify(OtlpTrace.traceData(run, entries[0], spans))
}

const received = (exported: Runs.Exported): ReadonlyArray<any> =>
  Receiver.traces(traceBody(exported)).resourceSpans[0].scopeSpans[0].spans

const story = (exported: Runs.Exported) =>
  received(exported).map(({ attributes, name, status }) => {
    const facts = Receiver.attributes(attributes)
    return [name, facts["cicd.pipeline.result"] ?? facts["cicd.pipeline.task.run.result"], status.code ?? 0].join(" ")
  })

const measured = ({ entries }: Runs.Exported): ReadonlyArray<any> => {
  const data = OtlpMetrics.metricsData(entries[0], [...happenings(entries)])
  return Receiver.measures(JSON.stringify(data)).resourceMetrics[0].scopeMetrics[0].metrics
}

const points = (metrics: ReadonlyArray<any>, name: string): ReadonlyArray<any> => {
  const metric = metrics.find((each) => each.name === name)
  return (metric?.sum ?? metric?.histogram)?.dataPoints ?? []
}

describe("the spans of OTLP", () => {
  const expected = {
    succeeded: [
      "ATTEMPT make success 0",
      "RUN make success 0",
      "ATTEMPT judge success 0",
      "RUN judge success 0",
      "RUN good success 0",
    ],
    failed: [
      "ATTEMPT make success 0",
      "RUN make success 0",
      "ATTEMPT judge failure 2",
      "RUN judge failure 2",
      "RUN bad failure 2",
    ],
    late: ["ATTEMPT hanging timeout 2", "RUN hanging timeout 2", "RUN late failure 2"],
    cancelled: ["ATTEMPT hanging cancellation 0", "RUN hanging cancellation 0", "RUN stopped cancellation 0"],
  } as const
  for (const [name, spans] of Object.entries(expected)) {
    it.live(`tell a run that is ${name}: run, tasks and attempts, each within its parent`, () =>
      Effect.gen(function* () {
        const exported = yield* Runs.alone(name as keyof typeof expected)
        assert.deepStrictEqual(story(exported), [...spans])
        const all = new Map(received(exported).map((span) => [span.spanId, span]))
        const parents = [...all.values()].filter(({ parentSpanId }) => parentSpanId !== undefined)
        assert.strictEqual(parents.length, spans.length - 1)
        for (const span of parents) {
          const parent = all.get(span.parentSpanId)
          assert.isAtLeast(Number(span.startTimeUnixNano), Number(parent.startTimeUnixNano))
          assert.isAtMost(Number(span.endTimeUnixNano), Number(parent.endTimeUnixNano))
        }
      }),
    )
  }

  it.live("reach OpenTelemetry's own decoder whole: trace, resource and root by the CI/CD conventions", () =>
    Effect.gen(function* () {
      const exported = yield* Runs.alone("failed")
      const body = traceBody(exported)
      const [{ resource, scopeSpans }] = Receiver.traces(body).resourceSpans
      assert.deepStrictEqual(
        Receiver.fields(JSON.parse(body)).filter((field) => !Receiver.fields(Receiver.traces(body)).includes(field)),
        [],
      )
      assert.deepStrictEqual(Receiver.attributes(resource.attributes), {
        "service.name": "dandori",
        "deployment.environment.name": "dev",
        "host.name": "test",
        "cicd.pipeline.name": "bad",
        "cicd.pipeline.run.id": exported.run,
      })
      const root = scopeSpans[0].spans.at(-1)
      assert.strictEqual(root.traceId, exported.run.replaceAll("-", ""))
      assert.strictEqual(root.kind, 2)
      assert.strictEqual(root.startTimeUnixNano, `${Date.parse(exported.entries[0].time)}000000`)
      assert.deepStrictEqual(Receiver.attributes(root.attributes), {
        "cicd.pipeline.action.name": "RUN",
        "cicd.pipeline.result": "failure",
        "error.type": "GateFailed",
      })
      assert.include(root.status.message, "Task judge: The gate says FAILED")
    }),
  )

  it.live("link each attempt of a retried task to the one before", () =>
    Effect.gen(function* () {
      const exported = yield* Runs.alone("retried")
      assert.deepStrictEqual(story(exported), [
        "ATTEMPT flaky failure 2",
        "ATTEMPT flaky failure 2",
        "ATTEMPT flaky success 0",
        "RUN flaky success 0",
        "RUN retried success 0",
      ])
      const [first, second, third, task] = received(exported)
      assert.deepStrictEqual(
        [first, second, third].map(({ links }) => links.map((link: any) => link.spanId)),
        [[], [first.spanId], [second.spanId]],
      )
      assert.deepStrictEqual(new Set([first, second, third].map((span) => span.parentSpanId)), new Set([task.spanId]))
    }),
  )

  it.live("follow from the entries alone: a longer stream begins with the same spans", () =>
    Effect.gen(function* () {
      const { entries, run } = yield* Runs.alone("retried")
      const all = [...OtlpTrace.spans(run, entries)]
      for (let length = 0; length <= entries.length; length++) {
        const some = [...OtlpTrace.spans(run, entries.slice(0, length))]
        assert.deepStrictEqual(some, all.slice(0, some.length))
      }
    }),
  )
})

describe("the metrics of OTLP", () => {
  it.live("count a run with its duration by result, its attempts, its errors and its gates' verdicts", () =>
    Effect.gen(function* () {
      const failed = yield* Runs.alone("failed")
      const metrics = measured(failed)
      const [duration] = points(metrics, "cicd.pipeline.run.duration")
      assert.deepInclude(Receiver.attributes(duration.attributes), {
        "cicd.pipeline.name": "bad",
        "cicd.pipeline.result": "failure",
        "error.type": "GateFailed",
      })
      const { durationMillis } = failed.entries[failed.entries.length - 1].data as { readonly durationMillis: number }
      assert.strictEqual(duration.count, "1")
      assert.closeTo(duration.sum, durationMillis / 1_000, 1e-9)
      assert.strictEqual(duration.bucketCounts.length, duration.explicitBounds.length + 1)
      assert.strictEqual(
        duration.bucketCounts.map(Number).reduce((sum: number, count: number) => sum + count, 0),
        1,
      )
      const [verdict] = points(metrics, "dandori.gate.verdicts")
      assert.deepInclude(Receiver.attributes(verdict.attributes), {
        "dandori.gate": "judge",
        "dandori.verdict": "FAILED",
      })
    }),
  )

  it.live("add up what has the same attributes, and are all deltas", () =>
    Effect.gen(function* () {
      const metrics = measured(yield* Runs.alone("retried"))
      const attempts = points(metrics, "dandori.attempts").map(({ asInt, attributes }) => [
        Receiver.attributes(attributes)["cicd.pipeline.task.run.result"],
        asInt,
      ])
      assert.deepStrictEqual(attempts, [
        ["failure", "2"],
        ["success", "1"],
      ])
      assert.deepStrictEqual(
        points(metrics, "cicd.pipeline.run.errors").map(({ asInt }) => asInt),
        ["2"],
      )
      for (const { histogram, sum } of metrics) assert.strictEqual((sum ?? histogram).aggregationTemporality, 1)
    }),
  )

  it.live("are nothing where nothing has ended", () =>
    Effect.gen(function* () {
      const { entries } = yield* Runs.alone("broken")
      assert.isUndefined(OtlpMetrics.metricsData(entries[0], [...happenings(entries.slice(0, 2))]))
    }),
  )
})

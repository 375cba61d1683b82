import { configured, pipeline, tick, when } from "dandori"
import { backtest, dq, notify, publish, seed, train, wormAppend } from "dandori/tasks"

const month = { type: "string", pattern: "^\\d{4}-\\d{2}$" } as const
const expectations = "samples/expectations.yaml"

/**
 * The nightly retrain of a trading desk in New York: nobody watches, so what fails is told, and after two nights in a row
 * the schedule pauses. On the sample data, whose months are fixed; with own bars give `to: tick.month` to the schedule.
 */
export default pipeline(
  "nightly-retrain",
  {
    description: "Seed, check, train and backtest every night; publish what passes the gate, and tell what fails.",
    params: {
      from: { ...month, default: "2024-01" },
      to: { ...month, default: "2025-12" },
      night: { type: "string", default: "by hand" },
    },
    // Its times, its pause and its retries are those of `sample-nightly` in configs/, section schedules.
    schedule: configured("sample-nightly", {
      params: { night: tick.date },
      overlap: "skip",
      catchup: { policy: "last", window: "20 hours" },
      dst: { gap: "shift", overlap: "first" },
    }),
    concurrency: { group: "retrain", limit: 1, onConflict: "queue" },
  },
  ({ params, run, task, finally: lastly }) => {
    const { dataset } = task("seed", seed, {
      symbols: ["EURUSD", "GBPUSD"],
      timeframe: "1h",
      months: { from: params.from, to: params.to },
      expectations,
    })
    const checked = task("dq", dq, { dataset, expectations }, { cache: true })
    const trained = task(
      "train",
      train,
      { dataset: checked.dataset },
      {
        timeout: "30 minutes",
        resources: { cpu: 1, memory: "2GiB", pools: { trainers: 1 }, locks: ["models/EURUSD-GBPUSD"] },
        cache: true,
      },
    )
    const tested = task("backtest", backtest, { model: trained.model })
    const published = task("publish", publish, {
      model: tested.model,
      reason: "The nightly retrain of ${{ params.night }} passed its gate",
    })
    task("archive", wormAppend, {
      recordType: "retrain",
      payload: { model: published.version, digest: published.digest, verdict: tested.verdict, run: run.id },
    })
    lastly(
      "report",
      notify,
      {
        channel: "ml-ops",
        severity: "warning",
        title: run.pipeline,
        text: "${{ run.pipeline }} of ${{ params.night }} ${{ run.status }}, run ${{ run.id }}",
      },
      { if: when(run.status).isNot("succeeded") },
    )
  },
)

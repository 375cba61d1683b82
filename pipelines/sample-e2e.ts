import { pipeline, when } from "dandori"
import { backtest, dq, notify, publish, seed, snapshot, train, wormAppend } from "dandori/tasks"

const month = { type: "string", pattern: "^\\d{4}-\\d{2}$" } as const
const expectations = "samples/expectations.yaml"

/** The same plan as sample-e2e.yaml, digest included. */
export default pipeline(
  "sample-e2e",
  {
    description: "Seed, check, train, backtest, publish, archive and snapshot on the synthetic sample data.",
    params: { from: { ...month, default: "2024-01" }, to: { ...month, default: "2025-12" } },
    defaults: { retry: { attempts: 3, backoff: { initial: "1s", factor: 2, max: "1m", jitter: "full" } } },
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
        retry: { attempts: 3, on: ["TrainerUnavailable"] },
        cache: true,
      },
    )
    const tested = task("backtest", backtest, { model: trained.model })
    const published = task("publish", publish, { model: tested.model, reason: "The sample pipeline trained it" })
    const archived = task("archive", wormAppend, {
      recordType: "retrain",
      payload: { model: published.version, digest: published.digest, verdict: tested.verdict, run: run.id },
    })
    task(
      "snapshot",
      snapshot,
      { targets: [{ kind: "models" }, { kind: "ledger" }], verify: "full-restore" },
      { needs: [archived] },
    )
    lastly(
      "report",
      notify,
      {
        channel: "ml-ops",
        severity: "warning",
        title: run.pipeline,
        text: "${{ run.pipeline }} ${{ run.status }}, run ${{ run.id }}",
      },
      { if: when(run.status).isNot("succeeded") },
    )
  },
)

import * as Fs from "node:fs"
import { join } from "node:path"
import type { RunObserver } from "../../../src/services/observer.ts"
import * as Outcome from "../../../src/domain/evacuation-outcome.ts"
import type { Event } from "../../../src/domain/event.ts"
import type { Plan } from "../../../src/domain/plan.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"

/** A made-up evacuation: its plan, and what happens in it. */
export const plan = {
  format: 1,
  id: "evacuate",
  params: {},
  env: [],
  audit: "required",
  tasks: Outcome.steps.map((step, index) => ({
    id: step,
    type: `evacuate/${step}`,
    version: 1,
    effects: "idempotent",
    needs: index === 0 ? [] : [Outcome.steps[index - 1]],
    with: {},
    ...(step === "open" ? {} : { continueOnError: true }),
  })),
} as unknown as Plan

const digest = Sha256.of("x")
const artifact = { name: "plan.json", sha256: digest, bytes: 1, mediaType: "application/json" }

export const created: Event = {
  type: "dev.dandori.run.created.v1",
  data: {
    pipeline: "evacuate",
    plan: digest,
    planArtifact: artifact,
    config: artifact,
    params: {},
    env: "prod",
    environment: {},
    capacity: { cpu: 4, memory: 1e9, gpu: 0, pools: {}, attempts: 64 },
    durability: "fsync",
    code: digest,
  },
}
export const started = (task: string): Event => ({ type: "dev.dandori.attempt.started.v1", data: { task, attempt: 1 } })
export const succeeded = (task: string, output: unknown): Event => ({
  type: "dev.dandori.attempt.succeeded.v1",
  data: { task, attempt: 1, output, millis: 1_000 },
})
export const failed = (task: string, message: string): Event => ({
  type: "dev.dandori.attempt.failed.v1",
  data: { task, attempt: 1, error: { tag: "Broken", message } },
})

type Timed = Parameters<RunObserver["onEvent"]>[0]

/** Events a second apart, from 2026-03-04 00:00:00 UTC on. */
export const timed = (events: ReadonlyArray<Event>): ReadonlyArray<Timed> =>
  events.map((event, index) => ({ ...event, time: Date.UTC(2026, 2, 4) + index * 1_000, run: "run-1" }))

/** What the sub-types answer where all goes well. */
export const answers = (folder: string): Readonly<Record<string, unknown>> => ({
  open: { incident: "IR-1", folder, snapshot: "s", drill: false },
  cordon: { raised: true, epoch: 1 },
  volatile: { ok: 10, skipped: 2, failed: 0, problems: [] },
  stop: { complete: true, remaining: [] },
  collect: { ok: 6, skipped: 0, failed: 0, problems: [] },
  push: {
    rung: "offsite",
    location: "s3://vault/ml",
    away: true,
    objects: 1_204,
    bytes: 3_000_000_000,
    sent: 3_000_000_000,
    notTaken: 0,
    complete: true,
    refusals: [],
  },
  manifest: { complete: true },
  verify: { verified: 1_204, failed: 0, problems: [], complete: true, latest: { moved: true } },
  recover: { complete: true, failed: [] },
  report: { markdown: join(folder, "report.md"), html: join(folder, "report.html"), sha256: digest },
})

/** An evacuation in which the stop fails and all else goes well. */
export const events = (folder: string): ReadonlyArray<Timed> =>
  timed([
    created,
    ...Object.entries(answers(folder)).flatMap(([task, output]) => [
      started(task),
      task === "stop" ? failed(task, "no process table \u001b[31m") : succeeded(task, output),
    ]),
  ])

/** Writes what the push says of itself into an incident's folder, and how a collector failed. */
export const writeFolder = (folder: string, done: number, at: number): void => {
  Fs.mkdirSync(join(folder, "bundles"), { recursive: true })
  const progress = {
    format: "dandori-progress/1",
    rung: "offsite",
    location: "s3://vault/ml",
    objects: { done: Math.floor(done / 1_000), total: 1_204 },
    bytes: { done: done * 1_000_000, total: 3_000 * 1_000_000 },
    sent: 0,
    notTaken: 3,
    now: ["models/model_a.joblib", "logs/api.log"],
    began: at,
    at,
  }
  Fs.writeFileSync(join(folder, "bundles", "progress.json"), JSON.stringify(progress))
  const collected = {
    collector: "journal",
    to: "evidence",
    outcome: "failed",
    reason: "journalctl ended with 1 \u001b[31m",
    began: at,
    ended: at,
    files: 0,
    bytes: 0,
  }
  Fs.writeFileSync(join(folder, "collected.ndjson"), `${JSON.stringify(collected)}\n{"torn":`)
}

import type { Crashes } from "./release-crashes.ts"
import type { Fault, Version, Watch } from "./release-watch.ts"

const slot = "EURUSD-GBPUSD/1h"
/** A call that takes so long is stuck, milliseconds. */
const patience = 120_000
/** So many calls bring a run to its end, whatever happens meanwhile. */
const mostCalls = 30

/** A run that was brought to its end. */
export interface Ended {
  readonly run: string
  readonly pipeline: string
  readonly reason: string
  readonly status: string
}

/** Where the ledger's table says that a run stands; undefined when it has no such run. */
const standing = async (watch: Watch, run: string) => {
  const events = await watch.told("stream = $1", [`runs/${run}`])
  const short = (type: string) => events.findLast((event) => event.type === type)
  const asked = short("approval.requested")?.data.task as string | undefined
  const granted = short("approval.granted")?.data.task
  return { events, status: short("run.finished")?.data.status, waitsFor: asked === granted ? undefined : asked }
}

/** Makes what brings a pipeline to its end through crashes. */
export const make = (watch: Watch, crashes: Crashes, fault: Fault) => {
  const ended: Array<Ended> = []
  const errors: Record<string, number> = {}
  const calls = { all: 0, refused: 0 }
  const mine = new Set<string>()

  /** A run that a killed process has begun and not told. */
  const untold = async (pipeline: string) => {
    const created = await watch.told("sequence = 1")
    return created.find(({ data, run }) => data.pipeline === pipeline && !mine.has(run))?.run
  }

  const call = async (args: ReadonlyArray<string>, attempts: number) => {
    calls.all++
    const said = await crashes.call(args, attempts, patience)
    if (said.isStuck) fault(`no end after ${patience / 1_000} s: dandori ${args.join(" ")}\n${said.err.slice(-2_000)}`)
    if (/^\s+at .+:\d+:\d+\)?$/m.test(said.err))
      fault(`a stack trace: dandori ${args.join(" ")}\n${said.err.slice(-3_000)}`)
    return said
  }

  /** Runs a pipeline, agrees where it waits, and resumes it until it has ended. */
  const drive = async (pipeline: string, params: Readonly<Record<string, string>>): Promise<Ended | undefined> => {
    const given = Object.entries(params).flatMap(([name, value]) => ["--param", `${name}=${value}`])
    let run: string | undefined
    for (let times = 0; times < mostCalls; times++) {
      if (run === undefined) {
        const { code, err, out } = await call(["run", pipeline, "--json", ...given], 5)
        run = /"run":"([0-9a-f-]{36})"/.exec(out)?.[1] ?? (await untold(pipeline))
        if (run === undefined && code !== null && code !== 69 && code !== 75)
          fault(`${pipeline} began no run: ${code} ${err}`)
        if (run === undefined) calls.refused++
        else mine.add(run)
        continue
      }
      const { status, waitsFor } = await standing(watch, run)
      if (status !== undefined) {
        const one = { run, pipeline, reason: params.reason ?? "", status }
        ended.push(one)
        return one
      }
      if (waitsFor !== undefined) await call(["runs", "approve", run, waitsFor, "--yes"], 0)
      await call(["runs", "resume", run, "--json"], 3)
    }
    fault(`run ${run} of ${pipeline} has not ended after ${mostCalls} calls; see dandori runs show ${run}`)
    return undefined
  }

  /** Errors that a run may end with: a server was away for longer than its retries. */
  const passing = new Set([
    "RegistryUnavailable",
    "SignalsUnavailable",
    "ObjectStoreError",
    "PreflightFailed",
    "CopyFailed",
    "EvidenceError",
    "NotifyError",
  ])
  const judge = async ({ pipeline, run, status }: Ended) => {
    const { events } = await standing(watch, run)
    const failed = events.filter(({ type }) => type === "attempt.failed")
    for (const { data } of failed) {
      const name = `${data.task}: ${data.error?.tag}`
      errors[name] = (errors[name] ?? 0) + 1
      if (!passing.has(data.error?.tag))
        fault(`run ${run} of ${pipeline}: ${data.task} failed with ${JSON.stringify(data.error)}`)
    }
    if (status !== "succeeded" && (status !== "failed" || failed.length === 0))
      fault(`run ${run} of ${pipeline} is ${status}`)
  }

  /** Releases the model of a gated run; without one, rolls the champion back. */
  const step = async (number: number, gated: string | undefined) => {
    const reason = `step ${number} of the trial`
    const copies = '["s3://models/releases"]'
    const one =
      gated === undefined
        ? await drive("rollback", { slot, reason })
        : await drive("release", { run: gated, reason, copies })
    if (one !== undefined) await judge(one)
    return one
  }

  return { step, ended, errors, calls }
}

export type Steps = ReturnType<typeof make>

/** Versions that may be released: the champion is there already, and what was taken out for cause is not let in again. */
export const releasable = (
  versions: ReadonlyMap<string, string>,
  rows: ReadonlyArray<Version>,
): ReadonlyArray<string> =>
  [...versions].flatMap(([version, run]) => {
    const status = rows.find((row) => row.version === version)?.status
    return status === "deployed" || status === "rolled_back" ? [] : [run]
  })

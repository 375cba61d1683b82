import { closeSync } from "node:fs"
import { availableParallelism } from "node:os"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as JobOutput from "./job-output.ts"
import * as Child from "./process-child.ts"
import { groupBytes, sight } from "./process-groups.ts"
import * as Job from "./process-job.ts"
import { markText, ProcessMark } from "./process-launch.ts"
import { isAlive } from "./process-table.ts"
import type { Spawn } from "./processes.ts"

/** How long a worker is kept without a job. */
const idleFor = "1 minute"
/** One that holds more memory than this is not kept. */
const mostIdleBytes = 384 * 1024 * 1024
/** A kept worker holds at most this share of what its next attempt may use; else the attempt gets a fresh one. */
const mostShare = 0.25
/** As many as can be at work at once. */
const mostIdle = availableParallelism()

/** A child that takes jobs. */
interface Worker {
  readonly child: Child.Child
  /** What it was started with: it does jobs of this alone. */
  readonly settings: string
  readonly stdout: JobOutput.JobOutput
  readonly stderr: JobOutput.JobOutput
}

/** A worker that has no job. */
interface Idle {
  readonly bytes: number
  /** Opened when it gets one. */
  readonly wanted: Latch.Latch
}

const letGo = ({ child, stderr, stdout }: Worker): void => {
  const { stdin } = child.subprocess
  if (typeof stdin === "object") void Promise.resolve(stdin.end()).catch(() => undefined)
  stdout.letGo()
  stderr.letGo()
  closeSync(child.lifeline)
}

/** Hands a line to a worker. One that has ended does not take it, and its end is seen elsewhere. */
const hand = ({ child }: Worker, line: string): void => {
  const { stdin } = child.subprocess
  if (typeof stdin !== "object") return
  try {
    stdin.write(line)
    void Promise.resolve(stdin.flush()).catch(() => undefined)
  } catch {
    // its pipe is closed
  }
}

/**
 * The workers of a `Processes` service. A worker is recorded with the attempt's mark before it gets a job, and without one
 * while it has none; `DANDORI_CHILD`, which every process that it starts inherits, says whose they are. `DANDORI_ATTEMPT`
 * in /proc/<pid>/environ names the first attempt it worked for: a process cannot change that of its own, but it sets the
 * variable for what it starts.
 *
 * Kept is a worker that has said that its job is done, has left no other process, says nothing more and holds little
 * memory: as many as there are processors, a minute each. All others are stopped as any child is, and confirmed gone; so
 * are all that are kept, by SIGKILL, when the scope closes: they have nothing to lose.
 */
export const make = Effect.fnUntraced(function* (folder: string) {
  const idle = new Map<Worker, Idle>()
  const fork = yield* FiberSet.makeRuntime()

  const stop = (worker: Worker) => Effect.map(Child.stopGroup(folder, worker.child, []), () => letGo(worker))

  /** Until the worker gets a job; stops it when its minute is over, when it says something or ends, and with the scope. */
  const watch = (worker: Worker, { wanted }: Idle) =>
    Effect.raceAllFirst([
      wanted.await,
      Effect.sleep(idleFor),
      Effect.promise(() => worker.child.subprocess.exited),
      Effect.promise(worker.stdout.stirred),
      Effect.promise(worker.stderr.stirred),
    ]).pipe(Effect.ensuring(Effect.suspend(() => (idle.delete(worker) ? stop(worker) : Effect.void))))

  const keep = (worker: Worker): boolean => {
    const { child, stderr, stdout } = worker
    if (idle.size >= mostIdle || !stdout.quiet() || !stderr.quiet()) return false
    const { members } = sight(child.group)
    if (members.length !== 1 || members[0].pid !== child.group.pid) return false
    const bytes = groupBytes(child.group)
    if (bytes > mostIdleBytes) return false
    try {
      Child.record(folder, child, undefined)
    } catch {
      return false
    }
    const entry = { bytes, wanted: Latch.makeUnsafe(false) }
    idle.set(worker, entry)
    fork(watch(worker, entry))
    return true
  }

  /** Takes the worker that was kept last, if one is fit. */
  const takeIdle = (settings: string, limitBytes: number): Worker | undefined => {
    const fit = [...idle].findLast(
      ([worker, { bytes }]) =>
        worker.settings === settings &&
        bytes <= limitBytes * mostShare &&
        worker.stdout.quiet() &&
        worker.stderr.quiet() &&
        isAlive(worker.child.group.pid, worker.child.group.started),
    )
    if (fit === undefined) return undefined
    const [worker, { wanted }] = fit
    idle.delete(worker)
    wanted.openUnsafe()
    return worker
  }

  const startWorker = (spawn: Spawn, settings: string) =>
    Effect.map(Child.start(folder, spawn), (child): Worker => ({
      child,
      settings,
      stdout: JobOutput.make(child.subprocess.stdout),
      stderr: JobOutput.make(child.subprocess.stderr),
    }))

  const reuse = Effect.fnUntraced(function* (spawn: Spawn, settings: string) {
    const worker = takeIdle(settings, yield* Child.memoryLimit(spawn))
    if (worker === undefined) return undefined
    const mark = yield* ProcessMark
    return yield* Effect.try({
      try: () => Child.record(folder, worker.child, mark),
      catch: (cause) => Child.notRecorded(folder, spawn, cause),
    }).pipe(
      Effect.as(worker),
      Effect.onError(() => stop(worker)),
    )
  })

  /** Takes a worker for the attempt here, a kept one or a fresh one, and hands it the job. */
  const take = Effect.fnUntraced(function* (spawn: Spawn, job: string) {
    const settings = JSON.stringify(Child.settingsOf(spawn))
    const worker = (yield* reuse(spawn, settings)) ?? (yield* startWorker(spawn, settings))
    const mark = yield* ProcessMark
    const end = `dandori-job-end ${Bun.randomUUIDv7()}`
    const { child, stderr, stdout } = worker
    const taken: Child.Taken = {
      child,
      streams: { stdout: stdout.until(end), stderr: stderr.until(end) },
      done: () => stdout.met() && stderr.met(),
      keep: Effect.sync(() => keep(worker)),
      letGo: () => letGo(worker),
    }
    hand(worker, Job.line({ job, end, ...(mark === undefined ? {} : { attempt: markText(mark) }) }))
    return taken
  })

  return { take }
})

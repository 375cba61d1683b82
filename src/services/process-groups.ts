import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { childVariable, isShim } from "./process-launch.ts"
import { commandLine, environments, isAlive, residentBytes, table, type Row } from "./process-table.ts"

/** A child's group: its leader's pid, when the leader started, and the id that its processes carry. */
export interface Group {
  readonly pid: number
  readonly started: string
  readonly child: string
}

/** Opened by a second Ctrl-C: from then on no process is given a grace before SIGKILL. */
export const Hurry = Context.Reference<Latch.Latch>("dandori/services/Hurry", {
  defaultValue: () => Latch.makeUnsafe(false),
})

/** Ends every grace at once, the ones that are being waited for too. */
export const skipGrace: Effect.Effect<void> = Effect.gen(function* () {
  const hurry = yield* Hurry
  yield* hurry.open
})

/** A group as it is now: what lives of it, and its watchers. */
export interface Sighting {
  readonly members: ReadonlyArray<Row>
  readonly watchers: ReadonlyArray<Row>
}

/**
 * What lives of a group: the leader's group and session, their descendants, and every process whose environment
 * carries the child's id (one that left by setsid). Group and session count only while the leader is the recorded
 * process or the watcher still holds the number; so a stranger that got the number later is never among them.
 */
export const sight = (group: Group): Sighting => {
  const rows = table()
  const live = rows.filter((row) => !row.zombie && row.pid !== process.pid)
  const together = live.filter((row) => row.group === group.pid || row.session === group.pid)
  const watchers = together.filter(
    (row) => row.pid !== group.pid && row.group === group.pid && isShim(commandLine(row.pid), group.child),
  )
  const leader = rows.find((row) => row.pid === group.pid)
  const ours = leader === undefined ? watchers.length > 0 : leader.started === group.started
  const environment = environments(live)
  const variable = `${childVariable}=${group.child}`
  const found = new Set<number>(ours ? together.map((row) => row.pid) : [])
  for (const row of live) if (environment(row.pid).split("\0").includes(variable)) found.add(row.pid)
  for (let grew = true; grew;) {
    const before = found.size
    for (const row of live) if (found.has(row.parent)) found.add(row.pid)
    grew = found.size > before
  }
  for (const row of watchers) found.delete(row.pid)
  return { members: live.filter((row) => found.has(row.pid)), watchers: ours ? watchers : [] }
}

/** Resident memory of a group in bytes; pages that processes share count in each. */
export const groupBytes = (group: Group): number =>
  table()
    .filter((row) => row.group === group.pid || row.session === group.pid)
    .reduce((sum, row) => sum + residentBytes(row.pid), 0)

/** Waits in real time, whatever Clock is provided: processes know no other. */
export const pause = (millis: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

const signalProcess = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // ended in the meantime
  }
}

const signalMembers = (group: Group, members: ReadonlyArray<Row>, signal: "SIGINT" | "SIGTERM"): void => {
  if (members.some((row) => row.group === group.pid)) signalProcess(-group.pid, signal)
  for (const row of members) if (row.group !== group.pid) signalProcess(row.pid, signal)
}

/** What became of a group that was stopped. */
export interface Stopped {
  /** Pids that lived when stopping began or came up during it. */
  readonly stopped: ReadonlyArray<number>
  /** Pids that SIGKILL did not end within its 30 seconds (uninterruptible in the kernel, or of another user). */
  readonly remaining: ReadonlyArray<number>
}

const killLimitMillis = 30_000

/**
 * Stops a group: each of `signals` and up to `graceMillis` after it, then SIGKILL until nothing is left, the
 * watcher too. Returns when all are confirmed gone. `Hurry` ends the graces.
 */
export const stop = Effect.fnUntraced(function* (
  group: Group,
  options: { readonly signals: ReadonlyArray<"SIGINT" | "SIGTERM">; readonly graceMillis: number },
) {
  const hurry = yield* Hurry
  const stopped = new Set<number>()
  const sightMembers = () => {
    const { members } = sight(group)
    for (const row of members) stopped.add(row.pid)
    return members
  }
  for (const signal of options.signals) {
    if (hurry.isOpen()) break
    let members = sightMembers()
    if (members.length === 0) break
    signalMembers(group, members, signal)
    const until = performance.now() + options.graceMillis
    while (members.length > 0 && performance.now() < until && !hurry.isOpen()) {
      yield* Effect.raceFirst(pause(Math.min(20, Math.max(1, until - performance.now()))), hurry.await)
      if (!members.some((row) => isAlive(row.pid, row.started))) members = sightMembers()
    }
  }
  const until = performance.now() + killLimitMillis
  for (;;) {
    const { members, watchers } = sight(group)
    for (const row of members) stopped.add(row.pid)
    const doomed = members.length > 0 ? members : watchers
    for (const row of doomed) signalProcess(row.pid, "SIGKILL")
    if (doomed.length === 0 || performance.now() > until) {
      return { stopped: [...stopped], remaining: doomed.map((row) => row.pid) } satisfies Stopped
    }
    yield* pause(5)
  }
})

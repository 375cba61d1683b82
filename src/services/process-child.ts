import { closeSync, writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { groupBytes, pause, stop, type Group } from "./process-groups.ts"
import { childEnvironment } from "./child-environment.ts"
import { findProgram, type Mark, ProcessMark, shimCommand } from "./process-launch.ts"
import { makeOutput } from "./process-output.ts"
import * as Records from "./process-records.ts"
import { lookUp } from "./process-table.ts"
import { MemoryExceeded, ProcessNotStarted, type Spawn } from "./processes.ts"

const defaultGraceMillis = 5_000
const defaultKeep = 65_536
const memoryEveryMillis = 250
/** How long a stream may stay silent after its program has ended before we let go of it. */
const drainIdleMillis = 500

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** What a child is started with, its defaults filled in. */
export const settingsOf = (spawn: Spawn) => ({
  argv: spawn.argv,
  cwd: spawn.cwd ?? process.cwd(),
  env: childEnvironment(process.env, spawn.env),
  graceMillis: Math.max(0, Math.round(spawn.graceMillis ?? defaultGraceMillis)),
})

const open = (command: Array<string>, spawn: Spawn, { cwd, env }: ReturnType<typeof settingsOf>) => {
  const input = spawn.stdin === undefined ? "ignore" : new TextEncoder().encode(spawn.stdin)
  const stdin = spawn.job === undefined ? input : "pipe"
  return Bun.spawn(command, { cwd, env, detached: true, stdio: [stdin, "pipe", "pipe", "pipe"] })
}

/** A child whose group is recorded: its record without the mark, and the pipe that it does not outlive. */
export interface Child {
  readonly subprocess: ReturnType<typeof open>
  readonly group: Group
  readonly lifeline: number
  readonly graceMillis: number
  readonly record: Omit<Records.ProcessRecord, "mark">
}

/** Writes a child's record: it is at work for the attempt of `mark`, or for none. Throws what the file system says. */
export const record = (folder: string, child: Pick<Child, "record">, mark: Mark | undefined): void =>
  Records.write(folder, {
    ...child.record,
    ...(mark === undefined ? {} : { mark: { run: mark.run, task: mark.task, attempt: mark.attempt } }),
  })

/** That a child's group could not be recorded, so that no program may work in it. */
export const notRecorded = (folder: string, spawn: Spawn, cause: unknown): ProcessNotStarted =>
  new ProcessNotStarted({ argv: spawn.argv, reason: `it could not be recorded in ${folder}: ${reasonOf(cause)}` })

/** Starts the shim of a child, records its group and lets its program begin. */
export const start = Effect.fnUntraced(function* (folder: string, spawn: Spawn) {
  const mark = yield* ProcessMark
  const settings = settingsOf(spawn)
  const { cwd, env, graceMillis } = settings
  const refuse = (reason: string) => new ProcessNotStarted({ argv: spawn.argv, reason })
  const found = findProgram(spawn.argv, cwd, env)
  if ("reason" in found) return yield* refuse(found.reason)
  const child = Bun.randomUUIDv7()
  const argv = [found.program, ...spawn.argv.slice(1)]
  const subprocess = yield* Effect.try({
    try: () => open(shimCommand({ child, mark, graceMillis, argv }), spawn, settings),
    catch: (cause) => refuse(reasonOf(cause)),
  })
  const { pid } = subprocess
  const lifeline = Number(subprocess.stdio[3])
  return yield* Effect.try({
    try: (): Child => {
      const started = lookUp(pid)?.started
      const owner = lookUp(process.pid)?.started
      if (started === undefined || owner === undefined) throw new Error("its start time cannot be read")
      const group: Group = { pid, started, child }
      const begun: Child = {
        subprocess,
        group,
        lifeline,
        graceMillis,
        record: {
          ...group,
          boot: Records.bootId(),
          program: found.program,
          graceMillis,
          owner: { pid: process.pid, started: owner },
        },
      }
      record(folder, begun, mark)
      writeSync(lifeline, "go\n")
      return begun
    },
    catch: (cause) => {
      subprocess.kill("SIGKILL")
      closeSync(lifeline)
      return notRecorded(folder, spawn, cause)
    },
  })
})

/** Stops a child's group, confirms it gone and removes its record. */
export const stopGroup = Effect.fnUntraced(function* (
  folder: string,
  { graceMillis, group }: Child,
  signals: ReadonlyArray<"SIGINT" | "SIGTERM">,
) {
  const { remaining } = yield* stop(group, { signals, graceMillis })
  if (remaining.length === 0) return Records.remove(folder, group.pid)
  yield* Effect.logWarning(`Processes ${remaining.join(", ")} could not be ended by SIGKILL; stop them by hand`)
})

/** The most memory that a child may use for the attempt here, in bytes; Infinity where nothing says. */
export const memoryLimit = (spawn: Spawn): Effect.Effect<number> =>
  Effect.map(ProcessMark, (mark) => Math.min(spawn.memoryBytes ?? Infinity, mark?.memoryBytes ?? Infinity))

/** Fails when the group uses more memory than it may. */
export const memoryWatch = Effect.fnUntraced(function* (group: Group, spawn: Spawn) {
  const limitBytes = yield* memoryLimit(spawn)
  if (limitBytes === Infinity) return yield* Effect.never
  for (;;) {
    yield* pause(memoryEveryMillis)
    const usedBytes = groupBytes(group)
    if (usedBytes > limitBytes) return yield* new MemoryExceeded({ argv: spawn.argv, limitBytes, usedBytes })
  }
})

/** What a child says. */
export interface Streams {
  readonly stdout: ReadableStream<Uint8Array>
  readonly stderr: ReadableStream<Uint8Array>
}

/** A child while it works for one attempt. */
export interface Taken {
  readonly child: Child
  readonly streams: Streams
  /** Whether what it was taken for is done although it lives on. */
  readonly done: () => boolean
  /** Keeps it for another attempt, its record without the mark; false where it must be stopped instead. */
  readonly keep: Effect.Effect<boolean>
  /** Closes our ends of its pipes: it is gone. */
  readonly letGo: () => void
}

/** Starts reading a child's two output streams; what is read lives until `letGo`. */
export const read = Effect.fnUntraced(function* (streams: Streams, spawn: Spawn) {
  const keep = spawn.keep ?? defaultKeep
  const stdout = makeOutput(streams.stdout, keep, spawn.onStdout)
  const stderr = makeOutput(streams.stderr, keep, spawn.onStderr)
  const fibers = [yield* Effect.forkDetach(stdout.pump), yield* Effect.forkDetach(stderr.pump)]
  const silence = Effect.fnUntraced(function* (limitMillis: number) {
    const until = performance.now() + limitMillis
    while (performance.now() < until && Math.min(stdout.idleMillis(), stderr.idleMillis()) < drainIdleMillis) {
      yield* pause(20)
    }
  })
  return {
    stdout,
    stderr,
    /** Succeeds at the ends of both streams; fails as a line's handler fails. */
    finished: Fiber.joinAll(fibers),
    /** Waits for the ends of both streams, no longer than a process outside the group could hold them silently. */
    drain: (limitMillis: number) => Effect.raceFirst(Fiber.joinAll(fibers), silence(limitMillis)),
    /** As `drain`, for a child that was stopped: half a second at the most, whatever became of the handlers. */
    farewell: Effect.exit(Effect.raceFirst(Fiber.joinAll(fibers), silence(drainIdleMillis))),
    letGo: Fiber.interruptAll(fibers),
  }
})

import { closeSync, writeSync } from "node:fs"
import { constants } from "node:os"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { groupBytes, pause, stop, type Group } from "./process-groups.ts"
import { childEnvironment, findProgram, ProcessMark, shimCommand } from "./process-launch.ts"
import { makeOutput } from "./process-output.ts"
import * as Records from "./process-records.ts"
import { lookUp } from "./process-table.ts"
import { MemoryExceeded, Processes, ProcessNotStarted, type Ended, type Spawn } from "./processes.ts"

const defaultGraceMillis = 5_000
const defaultKeep = 65_536
const memoryEveryMillis = 250
/** How long a stream may stay silent after its program has ended before we let go of it. */
const drainIdleMillis = 500
const drainLimitMillis = 30_000

/** The argv prefix that starts this program again: the compiled binary itself, or Bun with `src/cli/main.ts`. */
export const thisProgram = (): ReadonlyArray<string> =>
  /\$bunfs|~BUN/.test(import.meta.url)
    ? [process.execPath]
    : [process.execPath, fileURLToPath(new URL("../cli/main.ts", import.meta.url))]

const signalNumbers: Readonly<Record<string, number | undefined>> = constants.signals

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Starts the shim of a child, records its group and lets its program begin. */
const start = Effect.fnUntraced(function* (folder: string, spawn: Spawn) {
  const mark = yield* ProcessMark
  const cwd = spawn.cwd ?? process.cwd()
  const graceMillis = Math.max(0, Math.round(spawn.graceMillis ?? defaultGraceMillis))
  const env = childEnvironment(process.env, spawn.env)
  const refuse = (reason: string) => new ProcessNotStarted({ argv: spawn.argv, reason })
  const found = findProgram(spawn.argv, cwd, env)
  if ("reason" in found) return yield* refuse(found.reason)
  const child = Bun.randomUUIDv7()
  const argv = [found.program, ...spawn.argv.slice(1)]
  const subprocess = yield* Effect.try({
    try: () =>
      Bun.spawn(shimCommand({ child, mark, graceMillis, argv }), {
        cwd,
        env,
        detached: true,
        stdio: [spawn.stdin === undefined ? "ignore" : new TextEncoder().encode(spawn.stdin), "pipe", "pipe", "pipe"],
      }),
    catch: (cause) => refuse(reasonOf(cause)),
  })
  const { pid } = subprocess
  const lifeline = Number(subprocess.stdio[3])
  return yield* Effect.try({
    try: () => {
      const started = lookUp(pid)?.started
      const owner = lookUp(process.pid)?.started
      if (started === undefined || owner === undefined) throw new Error("its start time cannot be read")
      const group: Group = { pid, started, child }
      Records.write(folder, {
        ...group,
        boot: Records.bootId(),
        program: found.program,
        graceMillis,
        owner: { pid: process.pid, started: owner },
        ...(mark === undefined ? {} : { mark: { run: mark.run, task: mark.task, attempt: mark.attempt } }),
      })
      writeSync(lifeline, "go\n")
      return { subprocess, group, lifeline, graceMillis }
    },
    catch: (cause) => {
      subprocess.kill("SIGKILL")
      closeSync(lifeline)
      return refuse(`it could not be recorded in ${folder}: ${reasonOf(cause)}`)
    },
  })
})

type Started = Effect.Success<ReturnType<typeof start>>

const stopGroup = Effect.fnUntraced(function* (
  folder: string,
  started: Started,
  signals: ReadonlyArray<"SIGINT" | "SIGTERM">,
) {
  const { group, graceMillis } = started
  const { remaining } = yield* stop(group, { signals, graceMillis })
  if (remaining.length === 0) return Records.remove(folder, group.pid)
  yield* Effect.logWarning(`Processes ${remaining.join(", ")} could not be ended by SIGKILL; stop them by hand`)
})

const memoryWatch = Effect.fnUntraced(function* (group: Group, spawn: Spawn) {
  const mark = yield* ProcessMark
  const limitBytes = Math.min(spawn.memoryBytes ?? Infinity, mark?.memoryBytes ?? Infinity)
  if (limitBytes === Infinity) return yield* Effect.never
  for (;;) {
    yield* pause(memoryEveryMillis)
    const usedBytes = groupBytes(group)
    if (usedBytes > limitBytes) return yield* new MemoryExceeded({ argv: spawn.argv, limitBytes, usedBytes })
  }
})

/** Starts reading a child's two output streams; what is read lives until `letGo`. */
const read = Effect.fnUntraced(function* ({ subprocess }: Started, spawn: Spawn) {
  const keep = spawn.keep ?? defaultKeep
  const stdout = makeOutput(subprocess.stdout, keep, spawn.onStdout)
  const stderr = makeOutput(subprocess.stderr, keep, spawn.onStderr)
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
    /** Never succeeds; fails as a line's handler fails. */
    broken: Fiber.joinAll(fibers).pipe(Effect.andThen(Effect.never)),
    /** Waits for the ends of both streams, no longer than a process outside the group could hold them silently. */
    drain: (limitMillis: number) => Effect.raceFirst(Fiber.joinAll(fibers), silence(limitMillis)),
    letGo: Fiber.interruptAll(fibers),
  }
})

const run = Effect.fnUntraced(function* (folder: string, spawn: Spawn) {
  let gone = false
  const { started, output } = yield* Effect.acquireUseRelease(
    Effect.gen(function* () {
      const begun = yield* start(folder, spawn)
      return { started: begun, output: yield* read(begun, spawn) }
    }),
    (child) =>
      Effect.gen(function* () {
        const { subprocess, group } = child.started
        const ended = Effect.promise(() => subprocess.exited)
        yield* Effect.raceAllFirst([ended, memoryWatch(group, spawn), child.output.broken])
        yield* stopGroup(folder, child.started, ["SIGTERM"])
        gone = true
        yield* child.output.drain(drainLimitMillis)
        return child
      }),
    (child, exit) =>
      Effect.gen(function* () {
        if (!gone) {
          const interrupted = Exit.hasInterrupts(exit)
          yield* stopGroup(folder, child.started, interrupted ? ["SIGINT", "SIGTERM"] : [])
          yield* Effect.exit(child.output.drain(drainIdleMillis))
        }
        yield* child.output.letGo
        closeSync(child.started.lifeline)
      }),
  )
  const { exitCode, signalCode } = started.subprocess
  const signal = signalCode === null ? undefined : String(signalCode)
  return {
    exitCode: exitCode ?? 128 + (signal === undefined ? 0 : (signalNumbers[signal] ?? Number(signal))),
    signal,
    stdout: output.stdout.tail(),
    stderr: output.stderr.tail(),
  } satisfies Ended
})

/**
 * Child processes of this machine. `folder` keeps one record per running child (`<home>/processes`), from which
 * `stopLeftovers` stops what a killed owner left; `self` is the argv prefix that starts this program again.
 * A child that exceeds its memory gets SIGKILL at once; what a program leaves running when it ends gets SIGTERM,
 * the grace, SIGKILL. Children see sockets as their output, so they cannot open /dev/stdout by name.
 */
export const layer = (options: {
  readonly folder: string
  readonly self?: ReadonlyArray<string>
}): Layer.Layer<Processes> =>
  Layer.succeed(Processes, {
    run: (spawn) => run(options.folder, spawn).pipe(Effect.withSpan("Processes.run")),
    self: options.self ?? thisProgram(),
  })

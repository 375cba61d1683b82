import { closeSync } from "node:fs"
import { constants } from "node:os"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Child from "./process-child.ts"
import * as Workers from "./process-workers.ts"
import { thisProgram } from "./this-program.ts"
import { Processes, type Ended, type ProcessNotStarted, type Spawn } from "./processes.ts"

const drainLimitMillis = 30_000

const signalNumbers: Readonly<Record<string, number | undefined>> = constants.signals

/** A child that lives for this attempt only. */
const alone = (folder: string, spawn: Spawn): Effect.Effect<Child.Taken, ProcessNotStarted> =>
  Effect.map(Child.start(folder, spawn), (child) => ({
    child,
    streams: child.subprocess,
    done: () => false,
    keep: Effect.succeed(false),
    letGo: () => closeSync(child.lifeline),
  }))

const run = Effect.fnUntraced(function* (
  folder: string,
  spawn: Spawn,
  take: Effect.Effect<Child.Taken, ProcessNotStarted>,
) {
  let gone = false
  let kept = false
  const { output, taken } = yield* Effect.acquireUseRelease(
    Effect.gen(function* () {
      const begun = yield* take
      return { taken: begun, output: yield* Child.read(begun.streams, spawn) }
    }),
    (held) =>
      Effect.gen(function* () {
        const { child, done, keep } = held.taken
        const exited = Effect.promise(() => child.subprocess.exited)
        const finished = Effect.flatMap(held.output.finished, () => (done() ? Effect.void : Effect.never))
        yield* Effect.raceAllFirst([exited, Child.memoryWatch(child.group, spawn), finished])
        if (done()) yield* Effect.uninterruptible(Effect.map(keep, (stays) => void (kept = stays)))
        if (kept) return held
        yield* Child.stopGroup(folder, child, ["SIGTERM"])
        gone = true
        yield* held.output.drain(drainLimitMillis)
        return held
      }),
    (held, exit) =>
      Effect.gen(function* () {
        if (kept) return
        if (!gone) {
          const interrupted = Exit.hasInterrupts(exit)
          yield* Child.stopGroup(folder, held.taken.child, interrupted ? ["SIGINT", "SIGTERM"] : [])
          yield* held.output.farewell
        }
        yield* held.output.letGo
        held.taken.letGo()
      }),
  )
  const streams = { stdout: output.stdout.tail(), stderr: output.stderr.tail() }
  if (taken.done()) return { exitCode: 0, signal: undefined, ...streams } satisfies Ended
  const { exitCode, signalCode } = taken.child.subprocess
  const signal = signalCode === null ? undefined : String(signalCode)
  return {
    exitCode: exitCode ?? 128 + (signal === undefined ? 0 : (signalNumbers[signal] ?? Number(signal))),
    signal,
    ...streams,
  } satisfies Ended
})

/**
 * Child processes of this machine. `folder` keeps one record per running child (`<home>/processes`), from which
 * `stopLeftovers` stops what a killed owner left; `self` is the argv prefix that starts this program again.
 * A child that exceeds its memory gets SIGKILL at once; what a program leaves running when it ends gets SIGTERM,
 * the grace, SIGKILL. Children see sockets as their output, so they cannot open /dev/stdout by name. Workers that are kept
 * between attempts (see process-workers.ts) are gone when the layer's scope closes.
 */
export const layer = (options: {
  readonly folder: string
  readonly self?: ReadonlyArray<string>
}): Layer.Layer<Processes> =>
  Layer.effect(
    Processes,
    Effect.map(Workers.make(options.folder), ({ take }) => ({
      run: (spawn) => {
        const { folder } = options
        const { job } = spawn
        return run(folder, spawn, job === undefined ? alone(folder, spawn) : take(spawn, job)).pipe(
          Effect.withSpan("Processes.run"),
        )
      },
      self: options.self ?? thisProgram(),
    })),
  )

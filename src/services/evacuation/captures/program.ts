import * as Effect from "effect/Effect"
import { childEnvironment } from "../../child-environment.ts"
import { pause, stop } from "../../process-groups.ts"
import { childVariable, findProgram } from "../../process-launch.ts"
import { lookUp } from "../../process-table.ts"
import { CaptureFailed, NothingToTake } from "./capture.ts"

/** What a program has said and how it ended. `whole` is false where it had more to say than was asked for. */
export interface Said {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  readonly whole: boolean
}

/** What keeps a stream open after the program's end gets no more time than this, in milliseconds. */
const farewell = 500

/** How a program is run. `maxBytes` bounds each of its two streams. */
export interface Options {
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  readonly maxBytes: number
  readonly env?: Readonly<Record<string, string>>
}

const reader = (stream: ReadableStream<Uint8Array>, maxBytes: number, full: () => void) => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  const pump = async () => {
    const from = stream.getReader()
    for (;;) {
      const { done, value } = await from.read()
      if (done) return
      const taken = value.subarray(0, Math.max(0, maxBytes - bytes))
      chunks.push(taken)
      bytes += taken.length
      if (taken.length < value.length) return full()
    }
  }
  return { done: pump().catch(() => undefined), text: () => Buffer.concat(chunks).toString("utf8") }
}

/**
 * Runs a program in a process group of its own. It is ended with all its children when it has said more than was asked
 * for, and when it is interrupted; what it leaves running in its group too. No disk is needed for it.
 */
export const run = Effect.fn("Program.run")(function* (options: Options) {
  const child = Bun.randomUUIDv7()
  const env = { ...childEnvironment(process.env, options.env), LC_ALL: "C.UTF-8" }
  const found = findProgram(options.argv, options.cwd, env)
  if ("reason" in found)
    return yield* new NothingToTake({ reason: `${options.argv[0]} cannot be run: ${found.reason}` })
  return yield* Effect.acquireUseRelease(
    Effect.try({
      try: () => {
        const subprocess = Bun.spawn([found.program, ...options.argv.slice(1)], {
          cwd: options.cwd,
          env: { ...env, [childVariable]: child },
          detached: true,
          stdio: ["ignore", "pipe", "pipe"],
        })
        return { subprocess, started: lookUp(subprocess.pid)?.started ?? "" }
      },
      catch: (cause) => new CaptureFailed({ reason: `${options.argv[0]} cannot be run: ${String(cause)}` }),
    }),
    ({ subprocess }) =>
      Effect.gen(function* () {
        let whole = true
        const overflow = Promise.withResolvers<void>()
        const full = () => {
          whole = false
          overflow.resolve()
        }
        const stdout = reader(subprocess.stdout, options.maxBytes, full)
        const stderr = reader(subprocess.stderr, options.maxBytes, full)
        const ended = Effect.promise(() => subprocess.exited)
        const read = Effect.promise(() => Promise.all([stdout.done, stderr.done]))
        yield* Effect.raceFirst(
          Effect.andThen(ended, Effect.raceFirst(read, pause(farewell))),
          Effect.promise(() => overflow.promise),
        )
        const exitCode = subprocess.exitCode ?? (subprocess.signalCode === null ? 0 : 128)
        return { stdout: stdout.text(), stderr: stderr.text(), exitCode, whole } satisfies Said
      }),
    ({ started, subprocess }) => stop({ pid: subprocess.pid, started, child }, { signals: [], graceMillis: 0 }),
  )
})

/** Runs a program that may not be there: undefined then. */
export const runIfThere = (options: Options) =>
  Effect.catchTag(run(options), "NothingToTake", () => Effect.succeed(undefined))

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
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

/** How a program is run. `maxBytes` bounds each of its two streams; `onStdout` is given whole lines as they come. */
export interface Options {
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  readonly maxBytes: number
  readonly env?: Readonly<Record<string, string>>
  readonly onStdout?: (text: string) => void
}

const keep = () => {
  const chunks: Array<Uint8Array> = []
  return {
    take: (chunk: Uint8Array) => void chunks.push(chunk),
    text: () => Buffer.concat(chunks).toString("utf8"),
  }
}

/** Hands on lines as soon as they are whole, and at the end what is left. */
const handOn = (onText: (text: string) => void) => {
  const decoder = new TextDecoder()
  let rest = ""
  return {
    take: (chunk: Uint8Array) => {
      rest += decoder.decode(chunk, { stream: true })
      const end = rest.lastIndexOf("\n") + 1
      if (end > 0) onText(rest.slice(0, end))
      rest = rest.slice(end)
    },
    text: () => {
      if (rest !== "") onText(rest)
      return ""
    },
  }
}

const read = (
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  take: (chunk: Uint8Array) => void,
  full: () => void,
) => {
  let bytes = 0
  const pump = async () => {
    const from = stream.getReader()
    for (;;) {
      const { done, value } = await from.read()
      if (done) return
      const taken = value.subarray(0, Math.max(0, maxBytes - bytes))
      take(taken)
      bytes += taken.length
      if (taken.length < value.length) return full()
    }
  }
  return pump().catch(() => undefined)
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
        const stdout = options.onStdout === undefined ? keep() : handOn(options.onStdout)
        const stderr = keep()
        const both = Promise.all([
          read(subprocess.stdout, options.maxBytes, stdout.take, full),
          read(subprocess.stderr, options.maxBytes, stderr.take, full),
        ])
        const finished = Effect.promise(() => both)
        const ended = Effect.promise(() => subprocess.exited)
        yield* Effect.raceFirst(
          Effect.andThen(ended, Effect.raceFirst(finished, pause(farewell))),
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
  Effect.map(
    Effect.catchTag(Effect.asSome(run(options)), "NothingToTake", () => Effect.succeedNone),
    Option.getOrUndefined,
  )

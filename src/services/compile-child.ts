import { readSync, writeSync } from "node:fs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { formatDuration } from "../domain/quantity.ts"
import * as CompileProcess from "./compile-process.ts"

/** A TypeScript pipeline that had not ended when its time was over; it was stopped. */
export class PipelineTooSlow extends Schema.TaggedError<PipelineTooSlow>()("PipelineTooSlow", {
  file: Schema.String,
  limitMillis: Schema.Int,
}) {
  /** The machine may only have been busy. */
  readonly mayPass = true
  override get message() {
    const limit = formatDuration(this.limitMillis)
    return `${this.file} took longer than ${limit} to compile and was stopped. A pipeline file only describes tasks: move waiting, reading and computing into them.`
  }
}

/**
 * The process that evaluates a TypeScript pipeline ended without an answer; `mayPass`: it did not do so by itself, and may
 * end otherwise another time.
 */
export class CompileChildFailed extends Schema.TaggedError<CompileChildFailed>()("CompileChildFailed", {
  file: Schema.String,
  reason: Schema.String,
  mayPass: Schema.Boolean,
}) {
  override get message() {
    return `${this.file} could not be evaluated: ${this.reason}`
  }
}

/** The argv prefix of the program that evaluates a pipeline file. */
export const CompileProgram = Context.Reference<ReadonlyArray<string>>("dandori/services/CompileProgram", {
  defaultValue: CompileProcess.thisCompiler,
})

const longest = 64 * 1024 * 1024
const newline = "\n".charCodeAt(0)
/** How long a child has to end that is no longer needed. */
const graceMillis = 1_000

type Said = Effect.Effect<unknown, CompileChildFailed>

/**
 * Tells a child its file. It says parts, each a list, while it is at work; then an answer, and another one each time that
 * it is asked.
 */
const start = (file: string, program: ReadonlyArray<string>, onPart: (part: ReadonlyArray<unknown>) => void) => {
  const child = CompileProcess.take(program)
  const pipe = CompileProcess.pipeOf(child)
  let open: Array<Buffer> = []
  let length = 0
  let answer: Said | undefined
  let ended: Said | undefined
  let waiting: ((said: Said) => void) | undefined
  const tell = () => {
    const said = answer ?? ended
    if (said !== undefined) waiting?.(said)
  }
  const end = (said: Said) => {
    ended ??= said
    tell()
  }
  const failed = (reason: string, mayPass = false) => Effect.fail(new CompileChildFailed({ file, reason, mayPass }))
  const kill = () => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      child.kill("SIGKILL")
    }
  }
  const take = (line: string) => {
    try {
      const said: unknown = JSON.parse(line)
      if (Array.isArray(said)) onPart(said)
      else answer = Effect.succeed(said)
    } catch {
      answer = failed("its answer was cut off")
    }
    tell()
  }
  child.on("error", (cause) => end(failed(cause.message, true)))
  pipe?.on("data", (chunk: Buffer) => {
    length += chunk.length
    if (length > longest) {
      kill()
      return end(failed(`it describes more than ${longest} bytes`))
    }
    let from = 0
    for (let to = chunk.indexOf(newline); to !== -1; to = chunk.indexOf(newline, from)) {
      open.push(chunk.subarray(from, to))
      take(Buffer.concat(open).toString("utf8"))
      open = []
      from = to + 1
    }
    open.push(chunk.subarray(from))
  })
  // What is asked of a child that has ended goes nowhere: its end tells why.
  pipe?.on("error", () => {})
  pipe?.write(`${JSON.stringify(file)}\n`)
  // Bun's "close" does not wait for this pipe: what was written may come after it.
  const drained = new Promise((resolve) => pipe?.once("close", resolve))
  child.on("close", (code, signal) => {
    void drained.then(() => {
      if (code === 0 && length > 0) return answer === undefined ? take(Buffer.concat(open).toString("utf8")) : tell()
      end(
        failed(
          `its process ended with ${signal === null ? `exit code ${code}` : `signal ${signal}`} before it was done`,
          signal !== null,
        ),
      )
    })
  })
  return {
    hear: Effect.callback<unknown, CompileChildFailed>((resume) => {
      waiting = resume
      tell()
    }),
    ask: () => {
      answer = undefined
      waiting = undefined
      pipe?.write("?")
    },
    /** One that has answered ends by itself when nobody listens any more; one that does not is killed. */
    stop: Effect.callback<void>((resume) => {
      if (answer === undefined || pipe === undefined) {
        kill()
        return resume(Effect.void)
      }
      const late = setTimeout(() => {
        kill()
        resume(Effect.void)
      }, graceMillis)
      const gone = () => {
        clearTimeout(late)
        resume(Effect.void)
      }
      if (child.exitCode !== null || child.signalCode !== null) return gone()
      child.once("exit", gone)
      pipe.end()
    }),
  }
}

/** What a child answered, and what else it says when it is asked: it waits as long as the scope is open. */
export interface Evaluated {
  readonly answer: unknown
  readonly further: Effect.Effect<unknown, PipelineTooSlow | CompileChildFailed>
}

/**
 * Evaluates a TypeScript pipeline in a process group of its own, and gives what it answered; `onPart` is given what it
 * handed on before. The child's output goes to standard error; it sees PATH, HOME, LANG, TZ and two settings of Bun.
 * When the time is over, or the fiber is interrupted, it is killed.
 */
export const evaluate = Effect.fn("CompileChild.evaluate")(function* (
  file: string,
  limitMillis: number,
  onPart: (part: ReadonlyArray<unknown>) => void = () => {},
) {
  const program = yield* CompileProgram
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => start(file, program, onPart)),
    ({ stop }) => stop,
  )
  const next = Effect.timeoutOrElse(child.hear, {
    duration: limitMillis,
    orElse: () => new PipelineTooSlow({ file, limitMillis }),
  })
  const answer = yield* next
  return { answer, further: Effect.andThen(Effect.sync(child.ask), next) } satisfies Evaluated
})

/** In the child: waits for the file to be evaluated; ends when nobody needs it any more. */
export const told = (): string => {
  const bytes: Array<number> = []
  const one = Buffer.alloc(1)
  while (readSync(CompileProcess.channel, one) > 0) {
    if (one[0] === newline) return JSON.parse(Buffer.from(bytes).toString("utf8")) as string
    bytes.push(one[0])
  }
  process.exit(0)
}

const writeAll = (bytes: Uint8Array): void => {
  for (let at = 0; at < bytes.length;) at += writeSync(CompileProcess.channel, bytes, at)
}

const write = (value: unknown): void => {
  writeAll(Buffer.from(JSON.stringify(value)))
  writeAll(Uint8Array.of(newline))
}

/** In the child: hands on a part of the answer, while the rest is still to come. */
export const part = (value: ReadonlyArray<unknown>): void => write(value)

/** In the child: hands the answer to the parent, and more if it is asked; then ends, whatever the pipeline file left running. */
export const answer = (value: unknown, further: () => unknown): never => {
  write(value)
  if (readSync(CompileProcess.channel, Buffer.alloc(1)) > 0) write(further())
  process.exit(0)
}

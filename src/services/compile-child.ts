import { spawn } from "node:child_process"
import { writeSync } from "node:fs"
import type { Readable } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { formatDuration } from "../domain/quantity.ts"
import { childEnvironment } from "./process-launch.ts"
import { thisProgram } from "./processes-local.ts"

/** A TypeScript pipeline that had not ended when its time was over; it was stopped. */
export class PipelineTooSlow extends Schema.TaggedError<PipelineTooSlow>()("PipelineTooSlow", {
  file: Schema.String,
  limitMillis: Schema.Int,
}) {
  override get message() {
    const limit = formatDuration(this.limitMillis)
    return `${this.file} took longer than ${limit} to compile and was stopped. A pipeline file only describes tasks: move waiting, reading and computing into them.`
  }
}

/** The process that evaluates a TypeScript pipeline ended without an answer. */
export class CompileChildFailed extends Schema.TaggedError<CompileChildFailed>()("CompileChildFailed", {
  file: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `${this.file} could not be evaluated: ${this.reason}`
  }
}

/** The argv prefix of the program that evaluates a pipeline file: this program's hidden command. */
export const CompileProgram = Context.Reference<ReadonlyArray<string>>("dandori/services/CompileProgram", {
  defaultValue: () => [...thisProgram(), "__compile"],
})

/** Bun would fetch a package that an import names and nobody installed, and run it. */
const noInstall = { BUN_OPTIONS: "--no-install" }

const channel = 3
const longest = 64 * 1024 * 1024

/**
 * Evaluates a TypeScript pipeline in a process group of its own, and gives what it answered. The child's output goes to
 * standard error; it sees PATH, HOME, LANG and TZ. When the time is over, or the fiber is interrupted, it is killed.
 */
export const evaluate = Effect.fn("CompileChild.evaluate")(function* (file: string, limitMillis: number) {
  const [program, ...argv] = yield* CompileProgram
  const answered = Effect.callback<string, CompileChildFailed>((resume) => {
    const fail = (reason: string) => resume(Effect.fail(new CompileChildFailed({ file, reason })))
    const child = spawn(program, [...argv, file], {
      detached: true,
      env: childEnvironment(process.env, noInstall),
      stdio: ["ignore", 2, 2, "pipe"],
    })
    const kill = () => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, "SIGKILL")
      } catch {
        child.kill("SIGKILL")
      }
    }
    const chunks: Array<Buffer> = []
    let length = 0
    child.on("error", (cause) => fail(cause.message))
    // There is none where the program could not be started.
    const pipe = child.stdio[channel] as Readable | null | undefined
    if (pipe === undefined || pipe === null) return
    pipe.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length <= longest) return
      kill()
      fail(`it describes more than ${longest} bytes`)
    })
    // Bun's "close" does not wait for this pipe: what was written may come after it.
    const drained = new Promise((resolve) => pipe.once("close", resolve))
    child.on("close", (code, signal) => {
      void drained.then(() => {
        const text = Buffer.concat(chunks).toString("utf8")
        if (code === 0 && text !== "") return resume(Effect.succeed(text))
        fail(`its process ended with ${signal === null ? `exit code ${code}` : `signal ${signal}`} before it was done`)
      })
    })
    return Effect.sync(kill)
  })
  const text = yield* Effect.timeoutOrElse(answered, {
    duration: limitMillis,
    orElse: () => new PipelineTooSlow({ file, limitMillis }),
  })
  return yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new CompileChildFailed({ file, reason: "its answer was cut off" }),
  })
})

/** In the child: hands the answer to the parent and ends, whatever the pipeline file left running. */
export const answer = (value: unknown): never => {
  const bytes = Buffer.from(JSON.stringify(value))
  for (let at = 0; at < bytes.length;) at += writeSync(channel, bytes, at)
  process.exit(0)
}

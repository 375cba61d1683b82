import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A child process could not be started. */
export class ProcessNotStarted extends Schema.TaggedError<ProcessNotStarted>()("ProcessNotStarted", {
  argv: Schema.Array(Schema.String),
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.argv[0]} could not be started: ${this.reason}`
  }
}

/** A child's process group used more memory than it was given, and was stopped. */
export class MemoryExceeded extends Schema.TaggedError<MemoryExceeded>()("MemoryExceeded", {
  argv: Schema.Array(Schema.String),
  limitBytes: Schema.Int,
  usedBytes: Schema.Int,
}) {
  override get message() {
    return `${this.argv[0]} used ${this.usedBytes} bytes of memory, ${this.limitBytes} were allowed; give the task more (resources.memory)`
  }
}

/** How a child is to be run. Nothing of our environment reaches it but PATH, HOME, LANG, TZ and `env`. */
export interface Spawn {
  readonly argv: ReadonlyArray<string>
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /**
   * Makes the program a worker, which is kept for the next job of the same program, folder, environment and grace if it has
   * done this one well. It reads, in place of `stdin`, a line of JSON for each job, `{"job", "attempt", "end"}`, and when a
   * job is done it prints the line `end` to standard output and to standard error; when standard input ends, it ends. It
   * starts each job from a clean state. A job that fails ends the worker, and its exit code is the job's.
   */
  readonly job?: string
  /** Each line of standard output and error as it comes. */
  readonly onStdout?: (line: string) => Effect.Effect<void>
  readonly onStderr?: (line: string) => Effect.Effect<void>
  /** Milliseconds between SIGINT and SIGTERM, and again to SIGKILL, when the attempt is interrupted. Default 5000. */
  readonly graceMillis?: number
  /** Resident memory of the whole group, bytes; the task's `resources.memory` holds besides. */
  readonly memoryBytes?: number
  /** How much of each output stream is kept in the result, in characters (tail). Default 65536. */
  readonly keep?: number
}

/** How a child ended. */
export interface Ended {
  readonly exitCode: number
  /** Name of the signal that ended it, if one did. */
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
}

/**
 * Child processes, each in a process group of its own that never outlives its attempt, or, for a worker that was given a
 * job, this service.
 */
export class Processes extends Context.Service<
  Processes,
  {
    /** Runs a child to its end. Interruption stops its whole group and confirms it gone. */
    readonly run: (spawn: Spawn) => Effect.Effect<Ended, ProcessNotStarted | MemoryExceeded>
    /** The argv prefix that starts this very program again (source checkout or compiled binary). */
    readonly self: ReadonlyArray<string>
  }
>()("dandori/services/Processes") {}

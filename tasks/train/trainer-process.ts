/** Runs a trainer as a child process and turns how it ended into typed errors. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Attempt } from "../../src/services/attempt.ts"
import { Processes } from "../../src/services/processes.ts"
import { Progress } from "../../src/services/progress.ts"
import * as Contract from "./contract.ts"
import { TrainerFailed, TrainerUnavailable } from "./errors.ts"

const decodeProgress = Schema.decodeUnknownOption(Schema.fromJsonString(Contract.ProgressLine))

const graceMillis = 5_000
const killedFromOutside = ["SIGKILL", "SIGHUP", "SIGTERM"]
/** Exit codes by which a shell or a runtime reports such a signal of its child. */
const killedExits = [137, 143]

/** A trainer's program; a worker takes one manifest after the other. */
export interface Program {
  readonly argv: ReadonlyArray<string>
  readonly worker: boolean
}

const tail = (text: string) => text.trim().split("\n").slice(-10).join("\n")

/**
 * Runs the program with the manifest's path as its last argument, in `cwd`. A worker gets `cwd` as its argument, so that a
 * list of processes says whose it is, and the manifest as a job. Interruption stops all that the program started.
 */
export const runTrainer = Effect.fn("train.trainer")(function* (
  { argv, worker }: Program,
  manifest: string,
  cwd: string,
) {
  const attempt = yield* Attempt
  const progress = yield* Progress
  const processes = yield* Processes
  const program = argv.join(" ")
  const unavailable = (reason: string) => new TrainerUnavailable({ program, reason })
  const ended = yield* processes
    .run({
      ...(worker ? { argv: [...argv, cwd], job: manifest } : { argv: [...argv, manifest] }),
      cwd,
      graceMillis,
      onStdout: (line) =>
        Option.match(decodeProgress(line), {
          onNone: () => attempt.log(line),
          onSome: (found) => progress.report(found.progress),
        }),
      onStderr: attempt.log,
    })
    .pipe(Effect.mapError((error) => unavailable(error.message)))
  const { exitCode, signal } = ended
  if (signal === undefined ? killedExits.includes(exitCode) : killedFromOutside.includes(signal)) {
    return yield* unavailable(
      `it was killed (${signal ?? `exit code ${exitCode}`}); see that the machine has memory left, and try again`,
    )
  }
  if (signal === undefined && exitCode === 0) return
  const said = tail(ended.stderr) || tail(ended.stdout) || "it wrote nothing"
  return yield* new TrainerFailed({ program, reason: `${signal ?? `exit code ${exitCode}`}\n${said}` })
})

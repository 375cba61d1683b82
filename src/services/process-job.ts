import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { attemptVariable } from "./process-launch.ts"

/**
 * One line of a worker's standard input. `end` is the line by which the worker says, on standard output and on standard
 * error, that the job is done and nothing more of it will come; it is another one for each job, so that no output is taken
 * for it. A worker whose job failed does not say it: it ends, and its exit code is the job's.
 */
export const Job = Schema.Struct({
  job: Schema.String,
  /** The attempt that the job is done for, as in `DANDORI_ATTEMPT`. */
  attempt: Schema.optionalKey(Schema.String),
  end: Schema.String,
})
export type Job = typeof Job.Type

const Text = Schema.fromJsonString(Job)
const encode = Schema.encodeSync(Text)
const decode = Schema.decodeEffect(Text)

/** A job as the line that its worker reads. */
export const line = (job: Job): string => `${encode(job)}\n`

/** The lines of standard input, each when it is asked for; undefined at the end. */
const standardInput = (): Effect.Effect<string | undefined> => {
  const reader = Bun.stdin.stream().getReader()
  const decoder = new TextDecoder()
  let held = ""
  return Effect.gen(function* () {
    for (;;) {
      const at = held.indexOf("\n")
      if (at >= 0) {
        const found = held.slice(0, at)
        held = held.slice(at + 1)
        return found
      }
      const { done, value } = yield* Effect.promise(() => reader.read())
      if (done) return undefined
      held += decoder.decode(value, { stream: true })
    }
  })
}

/**
 * The worker's side: does the jobs of standard input, one after the other, until it ends. Fails as the first job fails.
 * `DANDORI_ATTEMPT` names the attempt of the job for as long as it is worked on.
 */
export const serve = Effect.fnUntraced(function* <E, R>(work: (job: string) => Effect.Effect<void, E, R>) {
  const next = standardInput()
  for (;;) {
    const text = yield* next
    if (text === undefined) return
    const { attempt, end, job } = yield* decode(text)
    if (attempt === undefined) delete process.env[attemptVariable]
    else process.env[attemptVariable] = attempt
    yield* work(job)
    // What the job has used is given back before its memory is looked at.
    Bun.gc(true)
    yield* Console.error(end)
    yield* Console.log(end)
  }
})

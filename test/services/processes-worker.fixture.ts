// A worker for tests. A job is JSON: what to do, in this order.
import { readFileSync, writeSync } from "node:fs"
import { spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { pause } from "../../src/services/process-groups.ts"
import * as Job from "../../src/services/process-job.ts"

/** A job of this worker. */
export interface Work {
  /** Folder of records: says what its own says now. */
  readonly record?: string
  /** Says which attempt a process that it starts finds in its environment. */
  readonly attempt?: boolean
  /** Written to both streams as it is. */
  readonly print?: string
  /** Says that it goes on, and does so for ever, whatever signal comes. */
  readonly hang?: boolean
  /** As `hang`, but takes more and more memory. */
  readonly grow?: boolean
  readonly fail?: string
  readonly exit?: number
  /** Leaves a process behind, with this in its command line; `stray`: out of its group. */
  readonly leave?: string
  readonly stray?: boolean
  /** What it does after the job is done. */
  readonly later?: "print" | "exit"
}

const kept: Array<Buffer> = []

const work = (job: string) =>
  Effect.gen(function* () {
    const todo: Work = JSON.parse(job)
    console.log(`pid ${process.pid}`)
    if (todo.record !== undefined) console.log(readFileSync(join(todo.record, `${process.pid}.json`), "utf8"))
    if (todo.attempt === true) spawnSync("sh", ["-c", "echo attempt $DANDORI_ATTEMPT"], { stdio: "inherit" })
    if (todo.print !== undefined) for (const fd of [1, 2]) writeSync(fd, todo.print)
    if (todo.leave !== undefined) {
      const loop = ["-c", `while :; do sleep 0.05; : ${todo.leave}; done`]
      spawn("sh", loop, { stdio: "ignore", detached: todo.stray === true }).unref()
    }
    if (todo.exit !== undefined) process.exit(todo.exit)
    if (todo.fail !== undefined) return yield* Effect.fail(todo.fail)
    if (todo.hang === true || todo.grow === true) {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.removeAllListeners(signal)
        process.on(signal, () => console.log(`got ${signal}`))
      }
      console.log("ready")
      for (;;) {
        if (todo.grow === true) kept.push(Buffer.alloc(8e6, 1))
        yield* pause(5)
      }
    }
    if (todo.later !== undefined) {
      setTimeout(() => (todo.later === "print" ? console.log("and another thing") : process.exit(0)), 200)
    }
  })

NodeRuntime.runMain(Job.serve(work), { disableErrorReporting: false })

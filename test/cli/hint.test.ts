import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { project } from "./run-project.ts"

/** Every command that a text tells, with what follows it on its line. */
const told = (text: string) => text.match(/dandori [a-z]+ .*/g) ?? []

describe("commands that an answer tells", () => {
  it.effect("name the environment that the call named, so that they look at the same configuration", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const ran = yield* dandori(folder, "run", "bad", "--env", "dev")
      assert.strictEqual(ran.code, 1, ran.err)
      const [run = ""] = /[0-9a-f-]{36}/.exec(ran.out) ?? []
      assert.deepStrictEqual(told(ran.out), [
        `dandori runs logs ${run} broken --env dev`,
        `dandori runs show ${run} --env dev`,
        `dandori runs logs ${run} broken --env dev`,
        "dandori ledger verify --env dev",
      ])
      const plain = yield* dandori(folder, "runs", "show", run)
      assert.deepStrictEqual(told(plain.out), [`dandori runs logs ${run} broken`])
      for (const [args, command] of [
        [["runs", "show", "nope"], "runs list"],
        [["runs", "logs", run, "nope"], `runs show ${run}`],
        [["ledger", "show", "schedules/prod"], "schedule list"],
        [["schedule", "pause", "nope", "--reason", "late"], "schedule list"],
        [["cordon", "raise", "stop", "--reason", "disk is full"], "cordon lift stop"],
        [["hold", "add", `run/${run}`, "--reason", "audit"], "hold release"],
        [["hold", "add", "run/019f0000-0000-7000-8000-000000000000", "--reason", "audit"], "runs list"],
      ] as const) {
        const { err, out } = yield* dandori(folder, ...args, "--env", "dev")
        assert.match(`${out}${err}`, new RegExp(`dandori ${command}( [0-9a-f-]+)? --env dev\\n`), args.join(" "))
      }
    }),
  )

  it.live("to go on with a run name it, too, also for programs", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const child = start(folder, ["run", "hanging", "--json"])
      const reader = child.stdout.getReader()
      for (let seen = ""; !seen.includes("attempt.started");) {
        seen += new TextDecoder().decode((yield* Effect.promise(() => reader.read())).value)
      }
      child.kill("SIGKILL")
      yield* Effect.promise(() => child.exited)
      const listed = yield* dandori(folder, "runs", "list", "--json", "--env", "dev")
      const [{ resume, run }] = ndjson(listed.out)
      assert.strictEqual(resume, `dandori runs resume ${String(run)} --env dev`)
      const shown = yield* dandori(folder, "runs", "show", String(run), "--json", "--env", "dev")
      assert.strictEqual(ndjson(shown.out)[0].resume, resume)
      assert.include((yield* dandori(folder, "runs", "list", "--env", "dev")).err, `${String(resume)}\n`)
      assert.include((yield* dandori(folder, "runs", "watch", String(run), "--env", "dev")).err, `${String(resume)}\n`)
      assert.include((yield* dandori(folder, "runs", "show", String(run), "--env", "dev")).out, `${String(resume)}\n`)
    }),
  )
})

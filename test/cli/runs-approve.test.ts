import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson } from "./evidence-project.ts"
import { project } from "./run-project.ts"

const asking = (approvers: number) => `version: 1
id: asking
tasks:
  go: { uses: actor, approval: { approvers: ${approvers} }, with: { say: hello } }
`

/** A run whose process has ended, since only people were awaited. */
const waitingFor = Effect.fnUntraced(function* (approvers: number) {
  const folder = yield* project
  yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/asking.yaml"), asking(approvers)))
  const ended = yield* dandori(folder, "run", "asking", "--json")
  assert.strictEqual(ended.code, 16, ended.err)
  return { folder, run: String(ndjson(ended.out)[0].run) }
})

describe("an answer to a run that no process drives", () => {
  it.effect("is recorded, and every command says that the run goes on with runs resume", () =>
    Effect.gen(function* () {
      const { folder, run } = yield* waitingFor(1)
      const resume = `dandori runs resume ${run}`
      const approved = yield* dandori(folder, "runs", "approve", run, "--yes")
      assert.strictEqual(approved.code, 0, approved.err)
      assert.match(approved.err, /^go of asking, asked for by .*\n {2}input {6}[0-9a-f]{64}\n[^]*"say": "hello"/)
      assert.match(
        approved.out,
        /^go is approved by \S+: that is recorded\. No process drives the run; to go on with it: /,
      )
      assert.include(approved.out, resume)
      const shown = yield* dandori(folder, "runs", "show", run)
      assert.match(shown.out, /^asking has its answer and can go on, after /)
      assert.include(shown.out, `Its answer is recorded, and no process drives it. To go on with it:\n  ${resume}`)
      const listed = yield* dandori(folder, "runs", "list")
      assert.include(listed.err, `answered; to go on with it: ${resume}`)
      assert.notInclude(shown.out + listed.err, "interrupted")
      const resumed = yield* dandori(folder, "runs", "resume", run)
      assert.strictEqual(resumed.code, 0, resumed.err)
    }).pipe(Effect.scoped),
  )

  it.effect("is counted while others still have to agree", () =>
    Effect.gen(function* () {
      const { folder, run } = yield* waitingFor(2)
      const listed = yield* dandori(folder, "runs", "list", "--json")
      const waiting = { for: "approval", granted: [], approvers: 2 }
      assert.deepInclude(ndjson(listed.out)[0], { status: "waiting", waiting })
      const approved = yield* dandori(folder, "runs", "approve", run, "--yes")
      assert.match(approved.out, /^go is approved by \S+: that is recorded\. 1 of 2 have agreed\.\n$/)
      assert.match((yield* dandori(folder, "runs", "show", run)).out, /^asking waits for people, /)
    }).pipe(Effect.scoped),
  )

  it.effect("is told to programs with the command that goes on", () =>
    Effect.gen(function* () {
      const { folder, run } = yield* waitingFor(1)
      const refused = yield* dandori(folder, "runs", "approve", run, "--refuse", "--reason", "no", "--yes", "--json")
      const resume = `dandori runs resume ${run}`
      assert.deepInclude(ndjson(refused.out)[0], { kind: "refused", task: "go", resume })
      const shown = yield* dandori(folder, "runs", "show", run, "--json")
      assert.deepInclude(ndjson(shown.out)[0], { status: "interrupted", answered: true, resume })
      assert.strictEqual((yield* dandori(folder, "runs", "resume", run)).code, 1)
    }).pipe(Effect.scoped),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson } from "./evidence-project.ts"
import { project } from "./run-project.ts"

const pipeline = (say: string, timeout: string) => `version: 1
id: spoken
params: { name: { type: string, default: you } }
env: [SPEAKER]
tasks:
  say: { uses: actor, timeout: ${timeout}, with: { say: ${say} } }
  tell: { uses: command, needs: [say], with: { argv: [echo, '\${{ params.name }}'] } }
`

/** Two runs of a pipeline that changed in between, oldest first. */
const runs = Effect.gen(function* () {
  const folder = yield* project
  const file = join(folder, "pipelines/spoken.yaml")
  process.env.SPEAKER = "one"
  yield* Effect.promise(() => Fs.writeFile(file, pipeline("hello", "1m")))
  yield* dandori(folder, "run", "spoken", "--quiet")
  yield* Effect.promise(async () => {
    await Fs.writeFile(file, pipeline("goodbye", "2m"))
    const dq = join(folder, "configs/base/dq.yaml")
    await Fs.writeFile(dq, (await Fs.readFile(dq, "utf8")).replace("outlier_sigma: 8", "outlier_sigma: 7"))
  })
  process.env.SPEAKER = "two"
  yield* dandori(folder, "run", "spoken", "--quiet", "--param", "name=them")
  delete process.env.SPEAKER
  const [next, old] = ndjson((yield* dandori(folder, "runs", "list", "--json")).out).map(({ run }) => String(run))
  return { folder, old, next }
})

describe("dandori runs diff", () => {
  it.effect("shows what two runs were started with and what came of it", () =>
    Effect.gen(function* () {
      const { folder, next, old } = yield* runs
      const { code, err, out } = yield* dandori(folder, "runs", "diff", old, next.slice(-8))
      assert.strictEqual(code, 0, err)
      assert.isTrue(out.startsWith(`${old} → ${next}\n`))
      assert.match(out, /Params\n {2}~ name: "you" → "them"\n/)
      assert.match(out, /Environment\n {2}~ SPEAKER: "one" → "two"\n/)
      assert.match(out, /Configuration\n {2}~ dq\.checks\.outlier_sigma: 8 → 7\n/)
      assert.match(
        out,
        /Tasks of the plan\n {2}~ say \(actor\)\n {6}~ timeout: 1m → 2m\n {6}~ with\.say: "hello" → "goodbye"\n/,
      )
      assert.match(out, /How the tasks went\n {2}say {3}succeeded {2}\d+/)
      assert.match(out, /Outputs\n {2}say\n {4}~ said: "hello" → "goodbye"\n {2}tell\n/)
      assert.match(out, /~ stdout: "you.*" → "them/)
    }),
  )

  it.effect("prints all of it as one JSON value", () =>
    Effect.gen(function* () {
      const { folder, next, old } = yield* runs
      const { err, out } = yield* dandori(folder, "runs", "diff", old, next, "--json")
      const [line, ...more] = ndjson(out)
      assert.strictEqual(err, "")
      assert.lengthOf(more, 0)
      assert.deepInclude(line, { v: 1, kind: "run-diff", runs: [old, next] })
      assert.deepStrictEqual(line?.params, [{ path: "name", old: "you", new: "them" }])
      const [say] = line.outcomes as ReadonlyArray<Record<string, unknown>>
      assert.deepStrictEqual(say?.output, [{ path: "said", old: "hello", new: "goodbye" }])
    }),
  )

  it.effect("of a run and itself finds no difference", () =>
    Effect.gen(function* () {
      const { folder, old } = yield* runs
      const { out } = yield* dandori(folder, "runs", "diff", old, old, "--json")
      const [line] = ndjson(out)
      for (const part of ["run", "settings", "tasks", "params", "environment", "config"]) {
        assert.deepStrictEqual(line?.[part], [], part)
      }
    }),
  )

  it.effect("says what to do when there is no such run", () =>
    Effect.gen(function* () {
      const { folder, old } = yield* runs
      const { code, err } = yield* dandori(folder, "runs", "diff", old, "ffffffff")
      assert.strictEqual(code, 66)
      assert.include(err, "dandori runs list")
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Event } from "../../src/domain/event.ts"
import { holdsWord } from "../../src/ledger/unfinished-runs-ledger.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { UnfinishedRuns } from "../../src/services/unfinished-runs.ts"
import * as Project from "./fixtures/project.ts"

const version = "20250101_0304_0123abcd"
const started = (task: string, input: unknown): Event => ({
  type: "dev.dandori.attempt.started.v1",
  data: { task, attempt: 1, input },
})

/** The runs, of those that have not ended, that name the version. */
const naming = Effect.flatMap(UnfinishedRuns, ({ list }) =>
  Effect.map(list(["model-purge"]), (runs) => runs.filter(({ names }) => names(version)).map(({ run }) => run)),
)

const inHome = <A, E>(
  body: (home: string) => Effect.Effect<A, E, Layer.Success<ReturnType<typeof Project.projectAt>>>,
) => Effect.scoped(Effect.flatMap(Project.folder, (home) => Effect.provide(body(home), Project.projectAt(home))))

describe("the runs that have not ended", () => {
  it.live("count with what they name in inputs and outputs, and no more when they have ended", () =>
    inHome(() =>
      Effect.gen(function* () {
        const [open, ended, other] = [Project.runId(1), Project.runId(2), Project.runId(3)]
        yield* Project.writeRun(open, [started("register", { model: { version } })], { open: true })
        yield* Project.writeRun(ended, [started("register", { model: { version } })])
        yield* Project.writeRun(other, [started("register", { model: { version: `${version}9` } })], { open: true })
        assert.deepStrictEqual(yield* naming, [open])
      }),
    ),
  )

  it.live("count with outputs that were too large for the ledger, also where these cannot be read", () =>
    inHome((home) =>
      Effect.gen(function* () {
        const run = Project.runId(1)
        const text = JSON.stringify({ rows: [{ version }] })
        const outputArtifact = yield* (yield* Artifacts).put("output.json", "application/json", text)
        const data = { task: "register", attempt: 1, outputArtifact }
        yield* Project.writeRun(run, [{ type: "dev.dandori.attempt.succeeded.v1", data }], { open: true })
        assert.deepStrictEqual(yield* naming, [run])
        yield* Effect.promise(() => Fs.rm(join(home, "artifacts"), { recursive: true }))
        assert.deepStrictEqual(yield* naming, [run])
      }),
    ),
  )

  it("are asked for whole names", () => {
    assert.isTrue(holdsWord('{"version":"v1"}', "v1"))
    assert.isTrue(holdsWord("s3://models/v1/theta.yaml", "v1"))
    assert.isTrue(holdsWord("v10 v1.tar", "v1"))
    assert.isFalse(holdsWord("v10 xv1 v1b 0v1", "v1"))
  })
})

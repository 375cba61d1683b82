import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { pipeline } from "dandori"
import { command } from "dandori/tasks"
import { expectGolden, fake, goldenLedger, runPipeline } from "dandori/testing"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"

const project = fileURLToPath(new URL("../..", import.meta.url))

/** A run whose task says something, after a second. */
const saying = (stdout: string) => {
  const say = pipeline("say", {}, ({ task }) => void task("say", command, { argv: ["echo", "hi"] }))
  const said = fake(command, () =>
    Effect.as(Effect.sleep("1 second"), { exitCode: 0, stdout, stderr: "", artifacts: [] }),
  )
  return runPipeline(say, { project, tasks: { say: said } })
}

const updating = Effect.provideService(
  ConfigProvider.ConfigProvider,
  ConfigProvider.fromUnknown({ DANDORI_UPDATE_GOLDEN: "1" }),
)
const reading = Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({}))

describe("a golden ledger", () => {
  it.live("tells a run in lines that no digest makes unstable", () =>
    Effect.gen(function* () {
      const run = yield* saying("hi\n")
      assert.strictEqual(
        goldenLedger(run),
        [
          '+0.000s run.created {"durability":"fsync","env":"dev","environment":{},"params":{},"pipeline":"say"}',
          '+0.000s attempt.started say #1 {"input":{"argv":["echo","hi"]}}',
          '+1.000s attempt.succeeded say #1 {"millis":1000,"output":{"artifacts":[],"exitCode":0,"stderr":"","stdout":"hi\\n"}}',
          '+1.000s run.finished {"durationMillis":1000,"status":"succeeded"}',
          "",
        ].join("\n"),
      )
    }),
  )

  it.live("is written when an update is asked for, accepts the same run, and shows the first line that differs", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const path = join(folder, "golden files", "say.txt")
      const run = yield* saying("hi\n")
      const missing = yield* Effect.flip(reading(expectGolden(path, run)))
      assert.include(missing.message, "expected a file, which is not there")
      yield* updating(expectGolden(path, run))
      yield* reading(expectGolden(path, yield* saying("hi\n")))
      const other = yield* Effect.flip(reading(expectGolden(path, yield* saying("ho\n"))))
      assert.include(other.message, `${path}:3: the run went another way`)
      assert.include(other.message, "DANDORI_UPDATE_GOLDEN=1")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )
})

import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PipelineFile from "../../src/services/pipeline-file.ts"

const saying = (name: string, text: string) =>
  Effect.acquireUseRelease(
    Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "pipeline file "))),
    (folder) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => Fs.writeFile(join(folder, name), text))
        return yield* PipelineFile.saidId(join(folder, name))
      }),
    (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true })),
  )

describe("the id that a file says it has", () => {
  it.live("is that of its pipeline, whatever else has an id in it, and however broken it is", () =>
    Effect.gen(function* () {
      const task = "tasks:\n  work:\n    with: { id: x }\n    id: y\n"
      assert.strictEqual(yield* saying("a.yaml", `version: 1\nid: nightly\n${task}`), "nightly")
      assert.strictEqual(yield* saying("a.yml", `${task}"id": 'etl-2'\n  {{{`), "etl-2")
      assert.isUndefined(yield* saying("a.yaml", task))
      const typed =
        'import { pipeline, task } from "dandori"\nconst id = { id: "x" }\nexport default pipeline("daily", {'
      assert.strictEqual(yield* saying("a.ts", typed), "daily")
      assert.isUndefined(yield* saying("a.ts", 'const input = {\n  id: "x",\n}'))
      assert.isUndefined(yield* PipelineFile.saidId("/nowhere/at/all.yaml"))
    }),
  )
})

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { AttemptFiles } from "../../src/services/attempt-files.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "dandori files"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
)

const names = [
  "train",
  "many[3]",
  "retrain/many[3]",
  "a".repeat(300),
  `${"a".repeat(299)}b`,
  Array.from({ length: 200 }, () => "a").join("/"),
]

describe("the files of an attempt", () => {
  it.effect("have names of their own and stay in the run's folder, however long the id of their task is", () =>
    Effect.gen(function* () {
      const home = yield* temporary
      const files = yield* AttemptFiles.pipe(Effect.provide(AttemptFiles.layer(home)))
      const paths = names.map((task) => {
        const log = files.openLog("run", task, 1, (error) => assert.fail(error.message))
        log.write(task)
        log.close()
        assert.isTrue(existsSync(files.scratch("run", task, 1)))
        const path = files.logPath("run", task, 1)
        assert.strictEqual(readFileSync(path, "utf8"), `${task}\n`)
        return path
      })
      assert.strictEqual(new Set(paths).size, names.length)
      assert.isTrue(paths.every((path) => join(path, "..") === join(home, "logs", "run")))
    }).pipe(Effect.scoped),
  )
})

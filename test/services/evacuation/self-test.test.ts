import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Collector, EvacuationSection, Rung } from "../../../src/domain/config/evacuation.ts"
import { usual } from "../../../src/domain/config/evacuation-usual.ts"
import type { StorageSection } from "../../../src/domain/config/storage.ts"
import * as SelfTest from "../../../src/services/evacuation/self-test.ts"
import * as Secrets from "../../../src/services/secrets.ts"

const storage: StorageSection = {
  canonical_root: "c",
  features_root: "f",
  snapshots_root: "s",
  models_root: "m",
  worm_root: "w",
  backups_root: "b",
}

const look = (collectors: ReadonlyArray<Collector>, destinations: ReadonlyArray<Rung>, destination?: string) => {
  const project = Fs.mkdtempSync(join(tmpdir(), "self test "))
  Fs.mkdirSync(join(project, "logs"))
  const evacuation: EvacuationSection = { ...usual, collectors, destinations }
  return SelfTest.look({ project, projectHome: join(project, ".dandori"), evacuation, storage, destination }).pipe(
    Effect.provide(Secrets.layer({ project, environment: {} })),
    Effect.map((findings) => findings.map(({ level, what }) => `${level}: ${what}`)),
  )
}

const files = (name: string, root: string): Collector => ({ name, kind: "files", root, to: "evidence", value: 1 })

describe("the self-test of an evacuation", () => {
  it.effect("says of each collector whether it would take something", () =>
    Effect.gen(function* () {
      const said = yield* look(
        [
          files("logs", "logs"),
          files("models", "models"),
          { name: "who", kind: "command", argv: ["sh", "-c", "id"], when: "volatile", value: 2 },
          { name: "lost", kind: "command", argv: ["no-such-program"], when: "volatile", value: 3 },
          { name: "memory", kind: "machine", what: "memory", when: "volatile", value: 4 },
        ],
        [],
      )
      assert.deepStrictEqual(said.slice(0, 5), [
        "ok: logs will be taken",
        "warning: models will be skipped: models: it is not there",
        "ok: who will be taken",
        "warning: lost will be skipped: there is no program no-such-program",
        "ok: memory will be taken",
      ])
    }),
  )

  it.effect("says that nothing is away where only the sealed folder is left", () =>
    Effect.gen(function* () {
      const said = yield* look([], [])
      assert.match(said[0], /^ok: sealed: .* can be written to$/)
      assert.match(said[1], /^missing: nothing is configured away from this machine/)
    }),
  )

  it.live("asks every destination at once, and waits for none longer than it may", () =>
    Effect.gen(function* () {
      const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
      const server = `http://127.0.0.1:${silent.port}`
      const rung = (name: string, location: string): Rung => ({
        name,
        location,
        s3: { endpoint: server, region: "us-east-1", path_style: true },
      })
      process.env.AWS_ACCESS_KEY_ID ??= "a key of this test"
      process.env.AWS_SECRET_ACCESS_KEY ??= "a secret of this test"
      const said = yield* look(
        [],
        [
          rung("first", "s3://one/x"),
          rung("second", "s3://two/x"),
          { name: "unset", location: "${env:NO_SUCH_BUCKET}" },
        ],
        "/proc/nowhere",
      )
      silent.stop(true)
      assert.match(said[0], /^error: given: /)
      assert.match(said[1], /^unavailable: first: s3:\/\/one\/x did not answer within 700 ms/)
      assert.match(said[2], /^unavailable: second: s3:\/\/two\/x did not answer within 700 ms/)
      assert.match(said[3], /^missing: unset: The secret \$\{env:NO_SUCH_BUCKET\} cannot be used/)
    }),
  )
})

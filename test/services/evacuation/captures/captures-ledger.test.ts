import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Checkpoint from "../../../../src/ledger/checkpoint.ts"
import * as Keys from "../../../../src/ledger/keys.ts"
import { Ledger } from "../../../../src/ledger/ledger.ts"
import * as LedgerPostgres from "../../../../src/ledger/ledger-postgres.ts"
import * as StreamName from "../../../../src/ledger/stream-name.ts"
import * as LedgerTimeline from "../../../../src/services/evacuation/report/ledger-timeline.ts"
import * as Project from "../../../ledger/fixtures/project.ts"
import * as Databases from "../../../support/servers/databases.ts"
import { machine, take } from "./capture-place.ts"
import * as Place from "../destination/place.ts"

interface Captured {
  readonly stream?: string
  readonly line: string
  readonly checkpoint?: number
}
const linesOf = (text = ""): ReadonlyArray<Captured> =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]))

const cordon = {
  type: "dev.dandori.cordon.raised.v1",
  data: { cordon: "IR-1", epoch: 1, reason: "disk errors" },
} as const

describe("the ledger in a database", () => {
  it.live("is skipped where the project keeps it in files", () =>
    Effect.gen(function* () {
      const { outcomes } = yield* take(yield* Place.folder, { collectors: [machine("ledger-database")] })
      assert.deepInclude(outcomes[0], { outcome: "skipped", reason: "this project's ledger lies in files" })
    }),
  )

  layer(Databases.layer)("of PostgreSQL", (it) => {
    const own = (url: string, more: { readonly max_bytes?: string } = {}) => ({
      collectors: [machine("ledger-database", more)],
      secrets: { DSN: url },
      database: { backend: "postgres", dsn: "${env:DSN}" } as const,
      ledger: "postgres" as const,
    })
    const [older, newer] = [Project.runId(1), Project.runId(2)]

    it.effect("is taken to the byte, what is needed to trust the rest first, and the newest runs", () =>
      Effect.gen(function* () {
        const url = yield* (yield* Databases.Databases).make
        const project = yield* Place.folder
        const author = { source: "dandori://dev/test", authid: "tester", authtype: "user" } as const
        const ledger = LedgerPostgres.layer({ database: Databases.options(url), author, flushIntervalMillis: 5 })
        const segments = yield* Effect.gen(function* () {
          yield* Project.writeRun(older, Project.attempts(2_400))
          yield* Project.writeRun(newer, Project.attempts(4))
          const { bytes, record } = yield* Ledger
          yield* record("system", [cordon])
          yield* Checkpoint.make()
          const names = [StreamName.root, StreamName.system, StreamName.ofRun(newer), StreamName.ofRun(older)]
          return yield* Effect.forEach(names, (name) =>
            Effect.map(bytes(name), (found) => [name, new TextDecoder().decode(found)] as const),
          )
        }).pipe(
          Effect.provide(
            Layer.provideMerge(Keys.layer(project), Layer.provideMerge(Layer.fresh(ledger), Project.platform)),
          ),
        )
        const { outcomes, path, textOf } = yield* take(project, own(url))
        assert.strictEqual(outcomes[0].outcome, "ok", outcomes[0].reason)
        const lines = linesOf(textOf("ledger-database"))
        const streams = [...new Set(lines.flatMap(({ stream }) => stream ?? []))]
        assert.deepStrictEqual(
          streams,
          segments.map(([name]) => name),
        )
        for (const [name, text] of segments) {
          const captured = lines.filter(({ stream }) => stream === name).map(({ line }) => `${line}\n`)
          assert.strictEqual(captured.join(""), text, name)
        }
        assert.isDefined(lines[0]?.checkpoint)

        const now = yield* Clock.currentTimeMillis
        const window = { from: now - 3_600_000, to: now + 3_600_000 }
        const captured = join(path, outcomes[0].path ?? "")
        const told = yield* LedgerTimeline.readCapture(captured, window, newer)
        assert.deepStrictEqual(told.problems, [])
        assert.includeMembers(
          told.moments.map(({ of, text }) => `${of}: ${text}`),
          ["system: cordon IR-1 raised: disk errors", "demo 01900000: task_0 finished"],
        )

        const limited = yield* take(yield* Place.folder, own(url, { max_bytes: "8KiB" }))
        assert.deepInclude(limited.outcomes[0], { outcome: "failed", truncated: true })
        assert.match(limited.outcomes[0].reason ?? "", /^the ledger is larger than 8 KiB: .*max_bytes/)
        assert.deepInclude(
          linesOf(limited.textOf("ledger-database")).map(({ stream }) => stream),
          StreamName.root,
        )
      }),
    )

    it.effect("is failed where the server is gone or the database has none", () =>
      Effect.gen(function* () {
        const gone = yield* take(yield* Place.folder, own("postgres://ml:planted-password@127.0.0.1:1/core"))
        assert.strictEqual(gone.outcomes[0].outcome, "failed")
        assert.match(gone.outcomes[0].reason ?? "", /^the ledger in PostgreSQL cannot be read: /)
        assert.notInclude(JSON.stringify(gone.outcomes), "planted-password")
        const empty = yield* take(yield* Place.folder, own(yield* (yield* Databases.Databases).make))
        assert.deepInclude(empty.outcomes[0], { outcome: "skipped", reason: "the database has no ledger" })
      }),
    )
  })
})

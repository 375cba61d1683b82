import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as Project from "./fixtures/project.ts"
import { ledgerOf, stream } from "./ledger-process.ts"

describe("a ledger in PostgreSQL", () => {
  it.live("says how many events are lost when it is left while the server is away, and is left in time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const said: Array<unknown> = []
        const logger = Logger.make(({ message }) => void said.push(message))
        const server = yield* Servers.ownPostgres()
        const ledger = yield* ledgerOf(server.url, { timeoutMillis: 500 })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* ledger.create(stream)
            writer.append(Project.created())
            yield* writer.durable
            yield* Effect.promise(() => server.stop("SIGKILL"))
            for (const event of Project.attempts(3)) writer.append(event)
            yield* Effect.flip(Effect.timeout(writer.durable, 100))
          }),
        ).pipe(Effect.provide(Logger.layer([logger])))
        assert.include(
          said.flat().filter((each) => String(each).startsWith("The last ")),
          `The last 3 events of ${stream} are not in the ledger: its database is away. What was acknowledged is there`,
        )
      }),
    ),
  )

  it.live("waits while the server is away, and loses nothing that was acknowledged, through kills and restarts", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let server = yield* Servers.ownPostgres()
        const [one, two] = yield* Effect.all([ledgerOf(server.url), ledgerOf(server.url)])
        const acknowledged: Array<Set<string>> = [new Set(), new Set()]
        let recorded = 0
        let over = false
        const writing = (ledger: Ledger["Service"], n: number) =>
          Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* ledger.create(StreamName.ofRun(Project.runId(n)))
              writer.append(Project.created())
              while (!over) {
                const heads = Project.attempts(5).map((event) => writer.append(event))
                yield* writer.durable
                for (const { hash } of heads) acknowledged[n].add(hash)
                yield* ledger.record("system", [Project.finished])
                recorded++
              }
            }),
          )
        const fibers = yield* Effect.all([Effect.forkChild(writing(one, 0)), Effect.forkChild(writing(two, 1))])
        for (let round = 0; round < 4; round++) {
          const before = acknowledged.map(({ size }) => size)
          yield* Effect.repeat(Effect.yieldNow, {
            until: () => acknowledged.every(({ size }, n) => size > before[n] + 20),
          })
          yield* Effect.promise(() => server.stop(round % 2 === 0 ? "SIGKILL" : "SIGINT"))
          server = yield* Effect.promise(() => server.again())
        }
        over = true
        for (const fiber of fibers) yield* Fiber.join(fiber)
        for (const [n, hashes] of acknowledged.entries()) {
          const { entries, fault } = yield* two.read(StreamName.ofRun(Project.runId(n)))
          assert.isUndefined(fault)
          const found = new Set<string>(entries.map(({ entryhash }) => entryhash))
          for (const hash of hashes) assert.isTrue(found.has(hash))
          assert.strictEqual(entries.length, hashes.size + 1)
        }
        assert.lengthOf((yield* one.read("system")).entries, recorded)
      }),
    ),
  )
})

import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { EventFeeds } from "../../../src/daemon/api/event-feed.ts"
import { Host } from "../../../src/daemon/host.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as LedgerPostgres from "../../../src/ledger/ledger-postgres.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import * as Project from "../../ledger/fixtures/project.ts"
import * as Databases from "../../support/servers/databases.ts"

const run = Project.runId(1)
const stream = StreamName.ofRun(run)

class Stores extends Context.Service<
  Stores,
  { readonly make: Effect.Effect<Context.Context<Ledger>, unknown, Scope.Scope> }
>()("test/Stores") {}

const segments = Layer.succeed(Stores, {
  make: Effect.flatMap(Project.folder, (home) => Layer.build(Layer.fresh(Project.ledgerAt(home)))),
})

const postgres = Layer.effect(
  Stores,
  Effect.map(Databases.maker, (make) => ({
    make: Effect.gen(function* () {
      const database = Databases.options(yield* make)
      const author = { source: "dandori://dev/test", authid: "tester", authtype: "user" } as const
      return yield* Layer.build(Layer.fresh(LedgerPostgres.layer({ database, author, flushIntervalMillis: 5 })))
    }),
  })),
)

const idsOf = (frames: ReadonlyArray<Uint8Array>) =>
  frames.map((frame) => Number(/^id: (\d+)\n/.exec(Buffer.from(frame).toString())?.[1]))

describe.each([
  ["of segment files", segments],
  ["in PostgreSQL", postgres],
] as const)("the events of a ledger %s", (_, stores) => {
  layer(stores, { excludeTestServices: true })((test) => {
    test.effect("are followed as they are appended, once for all that listen, to the run's end", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { make } = yield* Stores
          const ledgers = yield* make
          const ledger = Context.get(ledgers, Ledger)
          let looks = 0
          const counted = Ledger.of({
            ...ledger,
            bytes: (name, from) => Effect.suspend(() => (looks++, ledger.bytes(name, from))),
          })
          const feeds = Context.get(
            yield* Layer.build(
              Layer.provide(EventFeeds.layer, [
                Layer.succeed(Ledger, counted),
                Layer.mock(Host)({ asked: Effect.succeed([]), askedFor: () => Effect.undefined }),
              ]),
            ),
            EventFeeds,
          )
          const missing = yield* Effect.flip(Effect.scoped(feeds.of(run)))
          assert.strictEqual(missing._tag, "StreamMissing")

          const writer = yield* ledger.create(stream)
          writer.append(Project.created())
          yield* writer.durable
          const feed = yield* feeds.of(run)
          const others = yield* Effect.forEach(Array.from({ length: 100 }), () => feeds.of(run))
          assert.isTrue(others.every((other) => other === feed))
          assert.deepStrictEqual(idsOf(feed.frames), [1])
          const after = looks

          for (const event of Project.attempts(3)) writer.append(event)
          yield* writer.durable
          yield* Effect.forEach(others, (other) => other.beyond(1), { concurrency: "unbounded" })
          assert.isBelow(looks - after, 100)

          // Who has taken what came listens again at once, and hears no more than comes: else nobody else had a turn.
          let heard = 0
          const listening = yield* Effect.gen(function* () {
            while (feed.end() === "open" && heard < 1_000) {
              yield* Effect.timeoutOption(Effect.raceFirst(feed.beyond(feed.frames.length), Effect.never), 15_000)
              heard++
            }
          }).pipe(Effect.forkScoped({ startImmediately: true }))
          for (const event of Project.attempts(2)) {
            const count = feed.frames.length
            writer.append(event)
            yield* writer.durable
            while (feed.frames.length === count) yield* Effect.sleep(5)
          }
          assert.isAtMost(heard, feed.frames.length)
          writer.append({ type: "dev.dandori.run.finished.v1", data: { status: "succeeded", durationMillis: 1 } })
          yield* writer.durable
          const { head } = yield* ledger.read(stream)
          while (feed.end() === "open") yield* feed.beyond(feed.frames.length)
          assert.strictEqual(feed.end(), "finished")
          yield* Fiber.join(listening)
          assert.isAtMost(heard, feed.frames.length + 1)
          assert.deepStrictEqual(
            idsOf(feed.frames),
            Array.from({ length: head.sequence }, (_, n) => n + 1),
          )
        }),
      ),
    )
  })
})

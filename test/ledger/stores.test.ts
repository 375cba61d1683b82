import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe, layer } from "@effect/vitest"
import * as Sha256 from "../../src/domain/sha256.ts"
import type { Event } from "../../src/domain/event.ts"
import * as Checkpoint from "../../src/ledger/checkpoint.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Root from "../../src/ledger/root.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Acting } from "../../src/services/acting.ts"
import * as Places from "./fixtures/places.ts"
import * as Project from "./fixtures/project.ts"

const run = Project.runId(1)
const stream = StreamName.ofRun(run)
const key = (n: number): Event => ({
  type: "dev.dandori.key.created.v1",
  data: { keyid: `key ${n}`, publicKey: "x".repeat(40) },
})

describe.each([
  ["of segment files", Places.segments],
  ["in PostgreSQL", Places.postgres],
] as const)("a ledger %s", (_, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    const open = (ledger: Ledger["Service"], count: number) =>
      Project.writeRun(run, Project.attempts(count), { open: true }).pipe(Effect.provideService(Ledger, ledger))

    test.effect("writes in the name of who acts, one entry at a time, and else of whom it was opened for", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          const ann = { authid: "ann", authtype: "api_key" } as const
          yield* ledger.record("system", [key(1)])
          yield* Effect.provideService(ledger.record("system", [key(2)]), Acting, ann)
          yield* ledger.record("system", [key(3)])
          const writer = yield* ledger.create(stream)
          writer.append(key(4), undefined, ann)
          writer.append(key(5))
          yield* writer.durable
          const whoOf = (name: string) =>
            Effect.map(other.read(name), ({ entries, fault }) => {
              assert.isUndefined(fault)
              return entries.map(({ authid, authtype }) => `${authid} ${authtype}`)
            })
          assert.deepStrictEqual((yield* whoOf("system")).slice(-3), ["tester user", "ann api_key", "tester user"])
          assert.deepStrictEqual(yield* whoOf(stream), ["ann api_key", "tester user"])
        }),
      ),
    )

    test.effect(
      "gives back what was appended, to another process, byte for byte, and does not create a stream twice",
      () =>
        Places.withTwo((ledger, other) =>
          Effect.gen(function* () {
            const heads = yield* open(ledger, 30)
            const chain = yield* other.read(stream)
            assert.isUndefined(chain.fault)
            assert.strictEqual(chain.head.hash, heads.at(-1)?.hash)
            assert.deepStrictEqual(yield* other.runs, [run])
            const bytes = yield* other.bytes(stream)
            assert.strictEqual(bytes.length, chain.validBytes)
            const lines = new TextDecoder().decode(bytes).split("\n")
            assert.lengthOf(lines, 32)
            const later = lines.slice(10).join("\n")
            assert.strictEqual(
              new TextDecoder().decode(
                yield* other.bytes(stream, bytes.length - new TextEncoder().encode(later).length),
              ),
              later,
            )
            const again = yield* Effect.flip(Effect.scoped(other.create(stream)))
            assert.match(again.message, /it exists already/)
            const nobody = StreamName.ofRun(Project.runId(9))
            assert.strictEqual((yield* Effect.flip(other.read(nobody)))._tag, "StreamMissing")
            assert.strictEqual((yield* Effect.flip(other.bytes(nobody)))._tag, "StreamMissing")
          }),
        ),
    )

    test.effect("lets one owner write a stream, and the next one go on when it has left", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          yield* open(ledger, 4)
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* ledger.reopen(stream)
              assert.isTrue(yield* ledger.owned(stream))
              assert.isTrue(yield* other.owned(stream))
              assert.strictEqual((yield* Effect.flip(Effect.scoped(other.reopen(stream))))._tag, "StreamBusy")
              assert.strictEqual((yield* Effect.flip(Effect.scoped(ledger.reopen(stream))))._tag, "StreamBusy")
            }),
          )
          assert.isFalse(yield* other.owned(stream))
          const opened = yield* Effect.scoped(
            Effect.gen(function* () {
              const { chain, writer } = yield* other.reopen(stream)
              writer.append(Project.finished)
              yield* writer.durable
              return chain.entries.length
            }),
          )
          assert.strictEqual(opened, 5)
          const { entries, fault } = yield* ledger.read(stream)
          assert.isUndefined(fault)
          assert.strictEqual(entries.at(-1)?.type, "dev.dandori.run.finished.v1")
        }),
      ),
    )

    test.effect("keeps what nobody waits for within its interval, and all of it when it is closed", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* ledger.create(stream)
              writer.append(Project.created())
              yield* Effect.repeat(Effect.option(other.read(stream)), { until: (found) => found._tag === "Some" })
              for (const event of Project.attempts(2_000)) writer.append(event)
            }),
          )
          const { entries, fault } = yield* other.read(stream)
          assert.isUndefined(fault)
          assert.lengthOf(entries, 2_001)
        }),
      ),
    )

    test.effect("shares flushes among all that wait together", () =>
      Places.withTwo((ledger) =>
        Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* ledger.create(stream)
            writer.append(Project.created())
            yield* writer.durable
            const before = writer.flushes()
            yield* Effect.forEach(
              Project.attempts(500),
              (event) => Effect.suspend(() => (writer.append(event), writer.durable)),
              { concurrency: "unbounded", discard: true },
            )
            assert.isAtMost(writer.flushes() - before, 20)
          }),
        ),
      ),
    )

    test.effect("takes entries of root and system from many processes at once, one after the other", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          yield* Effect.forEach(
            Array.from({ length: 24 }, (__, n) => n),
            (n) => (n % 2 === 0 ? ledger : other).record(n % 3 === 0 ? "root" : "system", [key(n), key(n)]),
            { concurrency: "unbounded", discard: true },
          )
          const [root, system] = yield* Effect.all([ledger.read("root"), other.read("system")])
          assert.isUndefined(root.fault ?? system.fault)
          // One more: the key that the ledger was opened with.
          assert.deepStrictEqual([root.entries.length, system.entries.length], [16, 33])
        }),
      ),
    )

    test.effect("opens no run that the root has closed, and keeps the books as they are", () =>
      Places.withTwo((__, other, as) =>
        Effect.gen(function* () {
          yield* as(Project.writeRun(run, Project.attempts(4)))
          assert.strictEqual((yield* Effect.flip(Effect.scoped(other.reopen(stream))))._tag, "StreamEnded")
          assert.deepStrictEqual(yield* as(Root.reconcile()), { opened: 0, closed: 0 })
        }),
      ),
    )

    test.effect("adds the root entries of a run whose process died before it could", () =>
      Places.withTwo((ledger, __, as) =>
        Effect.gen(function* () {
          yield* as(Project.writeRun(run, Project.attempts(4), { unlisted: true }))
          yield* as(Project.writeRun(Project.runId(2), Project.attempts(2), { open: true }))
          assert.deepStrictEqual(yield* as(Root.reconcile()), { opened: 1, closed: 1 })
          assert.deepStrictEqual(yield* as(Root.reconcile()), { opened: 0, closed: 0 })
          assert.lengthOf((yield* ledger.read("root")).entries, 3)
        }),
      ),
    )

    test.effect(
      "signs checkpoints that the root bears out, and answers with the newest when nothing has happened",
      () =>
        Places.withTwo((ledger, other, as) =>
          Effect.gen(function* () {
            yield* as(Project.writeRun(run, Project.attempts(4)))
            const first = yield* as(Checkpoint.make())
            assert.strictEqual((yield* as(Checkpoint.make())).text, first.text)
            yield* as(Project.writeRun(Project.runId(2), Project.attempts(2)))
            const second = yield* as(Checkpoint.make())
            assert.isAbove(second.size, first.size)
            assert.deepStrictEqual(
              (yield* other.checkpoints).map(({ size, text }) => ({ size, text })),
              [first, second].map(({ size, text }) => ({ size, text })),
            )
            assert.isUndefined((yield* ledger.read("root")).fault)
          }),
        ),
    )

    test.effect("takes no event that is too large, and goes on after it as if there had been none", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* ledger.create(stream)
              const skip = (reason: string) =>
                writer.append({ type: "dev.dandori.task.skipped.v1", data: { task: "a", reason } })
              writer.append(Project.created())
              assert.throws(() => skip("x".repeat(20_000_000)), /at most 16777216/)
              skip("段取り\u0000\u2028 small")
              skip("y".repeat(9_000_000))
              skip("z".repeat(3_000_000))
              yield* writer.durable
            }),
          )
          const { entries, fault } = yield* other.read(stream)
          assert.isUndefined(fault)
          assert.deepInclude(entries[1].data, { reason: "段取り\u0000\u2028 small" })
          assert.lengthOf(entries, 4)
        }),
      ),
    )

    test.effect("is left by an interrupted writer with what was acknowledged", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          const acknowledged = yield* Deferred.make<string>()
          const writing = Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* ledger.create(stream)
              writer.append(Project.created())
              const { hash } = writer.append(Project.attempts(1)[0])
              yield* writer.durable
              yield* Deferred.succeed(acknowledged, hash)
              return yield* Effect.never
            }),
          )
          const fiber = yield* Effect.forkChild(writing)
          const hash = yield* Deferred.await(acknowledged)
          yield* Fiber.interrupt(fiber)
          assert.isFalse(yield* other.owned(stream))
          const { entries } = yield* other.read(stream)
          assert.strictEqual(entries[1].entryhash, Sha256.Sha256.make(hash))
        }),
      ),
    )
  })
})

import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { assert, describe, layer } from "@effect/vitest"
import type { Event } from "../../src/domain/event.ts"
import * as LedgerCopy from "../../src/ledger/ledger-copy.ts"
import * as Root from "../../src/ledger/root.ts"
import { genesis } from "../../src/ledger/sealing.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { verify } from "../../src/ledger/verify.ts"
import * as Places from "./fixtures/places.ts"
import * as Project from "./fixtures/project.ts"

const stream = StreamName.ofSchedules("dev")

const paused = (reason: string): Event => ({
  type: "dev.dandori.schedule.paused.v1",
  data: { pipeline: "nightly", reason },
})

describe.each([
  ["of segment files", Places.segments],
  ["in PostgreSQL", Places.postgres],
  ["in memory", Places.memory],
] as const)("the streams of schedules in a ledger %s", (_, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    test.effect("take what was decided on their head, and tell the heads, the times and who it was", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* ledger.schedules, [])
          const first = yield* ledger.extend(stream, genesis(stream), [paused("one"), paused("two")])
          const ada = { authid: "ada", authtype: "api_key" } as const
          const second = yield* other.extend(stream, first[1], [paused("three")], [ada])
          assert.strictEqual(second[0].by, "ada")
          const third = yield* ledger.extend(stream, second[0], [paused("four")])
          const { entries, fault, head } = yield* ledger.read(stream)
          assert.isUndefined(fault)
          assert.deepStrictEqual(
            entries.map(({ authid, data, entryhash, time }) => [data, entryhash as string, Date.parse(time), authid]),
            [...first, ...second, ...third].map(({ by, hash, time }, index) => [
              { pipeline: "nightly", reason: ["one", "two", "three", "four"][index] },
              hash as string,
              time,
              by,
            ]),
          )
          assert.deepStrictEqual(head, { sequence: 4, hash: third[0].hash })
          assert.deepStrictEqual(yield* other.schedules, [stream])
        }),
      ),
    )

    test.effect("are read in pieces that follow on each other, from any byte on", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          const texts = Array.from({ length: 20 }, (_, index) => paused("x".repeat(index * 37)))
          yield* ledger.extend(stream, genesis(stream), texts)
          const whole = Buffer.from(yield* other.bytes(stream))
          for (const least of [1, 500, 4_000, whole.length, whole.length + 1]) {
            // Each piece begins where a line does, as who goes on from what was verified reads.
            for (let from = 0; from < whole.length; from = whole.indexOf(10, from) + 1) {
              const piece = Buffer.from(yield* other.bytes(stream, from, least))
              assert.isAtLeast(piece.length, Math.min(least, whole.length - from))
              assert.isTrue(piece.equals(whole.subarray(from, from + piece.length)))
            }
          }
          assert.strictEqual((yield* other.bytes(stream, whole.length, 10)).length, 0)
        }),
      ),
    )

    test.effect("go on from where who decided has read to, and from nowhere else", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          const [one] = yield* ledger.extend(stream, genesis(stream), [paused("one")])
          const { length } = yield* ledger.bytes(stream)
          const [two] = yield* ledger.extend(stream, one, [paused("two")])
          const late = yield* Effect.flip(other.extend(stream, { ...one, bytes: length }, [paused("late")]))
          assert.strictEqual(late._tag, "StreamMoved")
          const bytes = (yield* ledger.bytes(stream)).length
          yield* other.extend(stream, { ...two, bytes }, [paused("three")])
          const { fault, head } = yield* ledger.read(stream)
          assert.deepStrictEqual([fault, head.sequence], [undefined, 3])
        }),
      ),
    )

    test.effect("say of each entry who acted", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          const ada = { authid: "ada", authtype: "api_key" } as const
          yield* ledger.extend(stream, genesis(stream), [paused("one"), paused("two")], [undefined, ada])
          const { entries, fault } = yield* other.read(stream)
          assert.isUndefined(fault)
          assert.deepStrictEqual(
            entries.map(({ authid, authtype }) => [authid, authtype]),
            [
              ["tester", "user"],
              ["ada", "api_key"],
            ],
          )
        }),
      ),
    )

    test.effect("take nothing that was decided on a head that they have left", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          const [first] = yield* ledger.extend(stream, genesis(stream), [paused("one")])
          yield* other.extend(stream, first, [paused("two")])
          const late = [genesis(stream), first].map((after) =>
            Effect.flip(ledger.extend(stream, after, [paused("late")])),
          )
          assert.deepStrictEqual(
            (yield* Effect.all(late)).map((error) => error._tag),
            ["StreamMoved", "StreamMoved"],
          )
          assert.lengthOf((yield* other.read(stream)).entries, 2)
        }),
      ),
    )

    test.effect("take the word of one of many that decide at once, round by round", () =>
      Places.withTwo((ledger, other) =>
        Effect.gen(function* () {
          for (let round = 1; round <= 10; round++) {
            const { head } = yield* ledger
              .read(stream)
              .pipe(Effect.catchTag("StreamMissing", () => Effect.succeed({ head: genesis(stream) })))
            const tries = Array.from({ length: 6 }, (__, n) =>
              Effect.result((n % 2 === 0 ? ledger : other).extend(stream, head, [paused(`${round}, ${n}`)])),
            )
            const results = yield* Effect.all(tries, { concurrency: "unbounded" })
            assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 1)
            assert.lengthOf((yield* other.read(stream)).entries, round)
          }
        }),
      ),
    )

    test.effect("are named by the root, also where a crash kept it from it, and verified", () =>
      Places.withTwo((ledger, __, as) =>
        Effect.gen(function* () {
          const [first] = yield* ledger.extend(stream, genesis(stream), [paused("one")])
          assert.deepStrictEqual(yield* as(Root.reconcile()), { opened: 1, closed: 0 })
          assert.deepStrictEqual(yield* as(Root.reconcile()), { opened: 0, closed: 0 })
          const [second] = yield* ledger.extend(stream, first, [paused("two")])
          yield* as(Root.closed(stream, second.sequence, second.hash))
          const [third] = yield* ledger.extend(stream, second, [paused("three")])
          const folder = yield* Project.folder
          yield* as(LedgerCopy.copyTo(folder))
          const report = yield* as(verify(folder))
          assert.deepStrictEqual([report.verdict, report.streams, report.strays.length], ["intact", 3, 0])
          assert.deepInclude(report.uncovered, {
            stream,
            line: 3,
            reason: "no root entry covers the entries from here on yet",
          })
          const file = `${folder}/${StreamName.segmentPath(stream)}`
          const alone = yield* as(verify(file))
          assert.deepStrictEqual([alone.verdict, alone.entries], ["intact", third.sequence])
          const fs = yield* as(FileSystem.FileSystem)
          const text = yield* fs.readFileString(file)
          yield* fs.writeFileString(file, text.replace('"two"', '"TWO"'))
          assert.strictEqual((yield* as(verify(folder))).exitCode, 10)
          yield* fs.writeFileString(file, text.slice(0, text.indexOf("\n") + 1))
          assert.strictEqual((yield* as(verify(folder))).exitCode, 13)
          yield* fs.remove(file)
          assert.strictEqual((yield* as(verify(folder))).exitCode, 13)
        }),
      ),
    )
  })
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { as, embedded, fixture, flagsOf, inRedis, note, place } from "./signals-rig.ts"

for (const [name, rig] of [
  ["in the project", embedded],
  ["in Redis", inRedis],
] as const) {
  describe(`signals ${name}`, () => {
    it.live("count as halted until somebody sets them, and the error says so", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        const halted = yield* Effect.flip(as(place, (signals) => signals.mayAct()))
        assert.deepInclude(halted, { _tag: "Halted", readable: false })
        assert.match(halted.message, /^Halted: .*cannot be read, which counts as halted: global_halt: it is not there/)
      }).pipe(Effect.scoped),
    )

    it.live("are changed for every process, with when, why and by what", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        const made = yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        assert.isTrue(made.changed)
        const flags = yield* flagsOf(place)
        assert.deepStrictEqual(flags, {
          global_halt: false,
          halted_pairs: [],
          flatten_pairs: [],
          leverage_scale: 1,
          metadata: { updated_at: made.updated_at, ...note },
        })
        assert.deepStrictEqual(yield* as(place, (signals) => signals.mayAct("EURUSD-GBPUSD")), flags)
        assert.isFalse((yield* as(place, (signals) => signals.change({ operation: "resume" }, note))).changed)
        assert.isTrue((yield* as(place, (signals) => signals.change({ operation: "halt" }, note))).changed)
        const halted = yield* Effect.flip(as(place, (signals) => signals.mayAct()))
        assert.deepInclude(halted, { readable: true, reason: "everything is halted: the feed is late" })
      }).pipe(Effect.scoped),
    )

    it.live("halt a pair, flatten another, and let both go again", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        yield* as(place, (signals) =>
          Effect.gen(function* () {
            yield* signals.change({ operation: "resume" }, note)
            yield* signals.change({ operation: "halt-pairs", pairs: ["A-B", "C-D"] }, note)
            yield* signals.change({ operation: "flatten", pairs: ["E-F"] }, note)
            yield* signals.change({ operation: "set-leverage", scale: 0.5 }, note)
            assert.match((yield* Effect.flip(signals.mayAct("C-D"))).reason, /^C-D is halted/)
            assert.match((yield* Effect.flip(signals.mayAct("E-F"))).reason, /^E-F is only to be closed/)
            assert.strictEqual((yield* signals.mayAct("G-H")).leverage_scale, 0.5)
            yield* signals.change({ operation: "resume-pairs", pairs: ["C-D", "E-F"] }, note)
          }),
        )
        assert.deepInclude(yield* flagsOf(place), { halted_pairs: ["A-B"], flatten_pairs: [], leverage_scale: 0.5 })
      }).pipe(Effect.scoped),
    )

    it.live("lose no pair that processes halt at the same time", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        const pairsOf = (name: string) => Array.from({ length: 25 }, (_, n) => `${name}-${n + 10}`)
        const ended = yield* Effect.forEach(
          ["A", "B", "C"],
          (name) =>
            Effect.promise(async () => {
              const argv = [process.execPath, fixture, JSON.stringify(place), ...pairsOf(name)]
              const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" })
              return [await child.exited, await new Response(child.stderr).text()] as const
            }),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(
          ended.map(([code, said]) => (code === 0 ? 0 : said)),
          [0, 0, 0],
        )
        assert.deepStrictEqual((yield* flagsOf(place)).halted_pairs, ["A", "B", "C"].flatMap(pairsOf))
      }).pipe(Effect.scoped),
    )

    it.live("that cannot be parsed count as halted, whichever field it is", () =>
      Effect.gen(function* () {
        const { place, put } = yield* rig
        const whole = { global_halt: "0", halted_pairs: "[]", flatten_pairs: "[]", leverage_scale: "1", metadata: "{}" }
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        for (const [field, garbage] of [
          ["global_halt", "maybe"],
          ["global_halt", ""],
          ["halted_pairs", "EURUSD-GBPUSD"],
          ["halted_pairs", '{"a":1}'],
          ["flatten_pairs", "[1]"],
          ["leverage_scale", "NaN"],
          ["leverage_scale", "-1"],
          ["leverage_scale", "1e999"],
          ["metadata", "why not"],
        ] as const) {
          yield* put({ ...whole, [field]: garbage })
          const halted = yield* Effect.flip(as(place, (signals) => signals.mayAct()))
          assert.isFalse(halted.readable, `${field} ${garbage}`)
          assert.match(halted.message, new RegExp(`which counts as halted: ${field}: it is ".*", not `))
        }
        yield* put(whole)
        yield* as(place, (signals) => signals.mayAct())
      }).pipe(Effect.scoped),
    )

    it.live("are halted whatever the hash holds; a change that would start from garbage is refused", () =>
      Effect.gen(function* () {
        const { place, put } = yield* rig
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        yield* put({ global_halt: "0", halted_pairs: "oops" })
        yield* as(place, (signals) =>
          Effect.gen(function* () {
            for (const operation of ["halt-pairs", "resume-pairs"] as const) {
              const refused = yield* Effect.flip(signals.change({ operation, pairs: ["A-B"] }, note))
              assert.deepInclude(refused, { _tag: "FlagsUnreadable", field: "halted_pairs", notApplied: true })
            }
            const made = yield* signals.change({ operation: "halt" }, note)
            assert.isTrue(made.changed)
            assert.isTrue(Result.isFailure(made.flags))
            assert.strictEqual(
              (yield* Effect.flip(signals.change({ operation: "resume" }, note)))._tag,
              "FlagsUnreadable",
            )
          }),
        )
        yield* put({ halted_pairs: "[]" })
        assert.isTrue((yield* flagsOf(place)).global_halt)
      }).pipe(Effect.scoped),
    )

    it.live("are not changed on the word of somebody who saw others", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        yield* as(place, (signals) =>
          Effect.gen(function* () {
            yield* signals.change({ operation: "halt" }, note)
            const { digest } = yield* signals.look
            yield* signals.change({ operation: "halt" }, { ...note, reason: "another incident" })
            const refused = yield* Effect.flip(signals.change({ operation: "resume" }, note, digest))
            assert.strictEqual(refused._tag, "FlagsMoved")
            const again = yield* signals.look
            yield* signals.change({ operation: "resume" }, note, again.digest)
            yield* signals.mayAct()
          }),
        )
      }).pipe(Effect.scoped),
    )

    it.live("tell each change and each message to those who listen, in order, and not what was before", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        const events = `${place.name}:events`
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        const heard = yield* as(place, (listener) =>
          Effect.gen(function* () {
            const stream = yield* listener.subscribe(events)
            yield* as(place, (signals) =>
              Effect.gen(function* () {
                yield* signals.change({ operation: "halt-pairs", pairs: ["A-B"] }, note)
                yield* signals.publish(`${place.name}:signals`, { pair: "A-B" })
                yield* signals.publish(events, { event: "model.deployed", version: "é1" })
                yield* signals.change({ operation: "halt" }, note)
              }),
            )
            return yield* Stream.runCollect(Stream.take(stream, 3))
          }),
        )
        const [first, second, third] = heard.map((text) => JSON.parse(text))
        assert.deepInclude(first, { event: "ops.halt-pairs", pairs: ["A-B"], ...note })
        assert.match(first.updated_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
        assert.deepStrictEqual(second, { event: "model.deployed", version: "é1" })
        assert.deepInclude(third, { event: "ops.halt", ...note })
      }).pipe(Effect.scoped),
    )
  })
}

describe("signals in the project", () => {
  it.live("count as halted when their file is damaged", () =>
    Effect.gen(function* () {
      const made = yield* place
      yield* Effect.promise(() => Fs.writeFile(join(made.home, "signals.db"), "no database at all".repeat(100)))
      const halted = yield* Effect.flip(as(made, (signals) => signals.mayAct()))
      assert.isFalse(halted.readable)
      assert.match(halted.message, /which counts as halted: .*signals\.db.*damaged/)
      const failed = yield* Effect.flip(as(made, (signals) => signals.change({ operation: "halt" }, note)))
      assert.deepInclude(failed, { _tag: "SignalsUnavailable", applied: "no", notApplied: true })
    }).pipe(Effect.scoped),
  )
})

/** The ledger alone: appending, with and without waiting for flushes, and verifying beside a bare SHA-256. */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Event } from "../src/domain/event.ts"
import { Ledger } from "../src/ledger/ledger.ts"
import * as LedgerSegments from "../src/ledger/ledger-segments.ts"
import * as Root from "../src/ledger/root.ts"
import * as StreamName from "../src/ledger/stream-name.ts"
import { verify } from "../src/ledger/verify.ts"
import type { Bench } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

const event = (i: number): Event =>
  i % 2 === 0
    ? {
        type: "dev.dandori.attempt.started.v1",
        data: { task: `t${i >> 1}`, attempt: 1, input: { symbol: "EURUSD", bars: i } },
      }
    : {
        type: "dev.dandori.attempt.succeeded.v1",
        data: { task: `t${i >> 1}`, attempt: 1, output: { rows: i }, millis: i },
      }

const ledger = (folder: string) =>
  LedgerSegments.layer({
    folder,
    author: { source: "dandori://dev/bench", authid: "bench", authtype: "user" },
    flushIntervalMillis: 1_000,
  }).pipe(Layer.provideMerge(NodeServices.layer))

const busySince = (before: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** Appends events to a new run's stream in parts; after each part, waits for its flush where that is asked for. */
const append = (count: number, part: number, wait: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const stream = StreamName.ofRun(Bun.randomUUIDv7())
      const writer = yield* (yield* Ledger).create(stream)
      const before = process.cpuUsage()
      const start = performance.now()
      let first = writer.head().hash
      for (let i = 0; i < count; i++) {
        const { hash } = writer.append(event(i))
        if (i === 0) first = hash
        if ((i + 1) % part !== 0) continue
        if (wait) yield* writer.durable
        else yield* Effect.yieldNow
      }
      yield* writer.durable
      const sample = { millis: performance.now() - start, cpu: busySince(before), flushes: writer.flushes() }
      yield* Root.opened(stream, first)
      return sample
    }),
  )

/** Waits of `writers` fibers, each for the flush of its own event, `count` events together. */
const grouped = (count: number, writers: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* (yield* Ledger).create(StreamName.ofRun(Bun.randomUUIDv7()))
      const before = process.cpuUsage()
      const start = performance.now()
      const each = Effect.suspend(() => {
        writer.append(event(writer.head().sequence))
        return writer.durable
      })
      yield* Effect.forEach(
        Array.from({ length: writers }),
        () => Effect.repeat(each, { times: count / writers - 1 }),
        {
          concurrency: "unbounded",
          discard: true,
        },
      )
      return { millis: performance.now() - start, cpu: busySince(before), flushes: writer.flushes() }
    }),
  )

const filesOf = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ndjson"))
    .map((entry) => join(entry.parentPath, entry.name))

/** Appending to fresh streams, then verifying the whole ledger that this made. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (place) => {
    const full = scale === "full"
    const [many, few, rounds] = full ? [100_000, 500, 3] : [50, 10, 1]
    const folder = join(place, "ledger")
    const layer = Layer.fresh(ledger(folder))
    const repeat = async <A>(make: Effect.Effect<A, unknown, Layer.Success<typeof layer>>) => {
      const found: Array<A> = []
      for (let i = 0; i < rounds; i++) found.push(await Effect.runPromise(Effect.provide(make, layer)))
      return found
    }
    const batched = await repeat(append(many, 1_000, false))
    const alone = await repeat(append(few, 1, true))
    const together = await repeat(grouped(few * 10, 10))
    const timesOf = (samples: ReadonlyArray<{ readonly millis: number; readonly cpu: number }>): Figures.Times => ({
      millis: samples.map(({ millis }) => millis),
      cpu: samples.map(({ cpu }) => cpu),
    })

    const files = filesOf(folder)
    const megabytes = files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6
    let entries = 0
    const verifying = await Figures.times(rounds, async () => {
      const report = await Effect.runPromise(Effect.provide(verify(folder), NodeServices.layer))
      if (report.verdict !== "intact")
        throw new Error(`The ledger is ${report.verdict}: ${JSON.stringify(report.faults[0])}`)
      entries = report.entries
    })
    const hashing = Figures.spawns(rounds, ["sha256sum", ...files], folder)
    const limit = Figures.percentile(hashing.cpu, 0.5)
    const perEvent = (sample: { readonly millis: number }, count: number) => sample.millis / count
    return {
      figures: [
        Figures.fromRates(`append ${many.toLocaleString("en-US")} events, batched`, "events/s", many, timesOf(batched)),
        Figures.fromRates("append and wait, one at a time", "events/s", few, timesOf(alone)),
        Figures.fromValues(
          "append and wait: one event",
          "ms",
          alone.map((sample) => perEvent(sample, few)),
        ),
        Figures.fromRates("append and wait, ten at a time (group commit)", "events/s", few * 10, timesOf(together)),
        Figures.fromValues(
          "the same: events to a flush",
          "events",
          together.map(({ flushes }) => (few * 10) / flushes),
        ),
        Figures.fromRates("verify", "entries/s", entries, verifying),
        Figures.fromRates("verify", "MB/s", megabytes, verifying, {
          against: { what: "sha256sum's processor time", ratio: Figures.percentile(verifying.cpu, 0.5) / limit },
        }),
        Figures.fromRates("sha256sum of the same bytes", "MB/s", megabytes, hashing),
      ],
      notes: [
        `${entries.toLocaleString("en-US")} entries, ${megabytes.toFixed(1)} MB in ${files.length} files are verified`,
      ],
    }
  })

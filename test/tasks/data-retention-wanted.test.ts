import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ledger from "../ledger/fixtures/project.ts"
import { NamedBytes } from "../../src/services/named-bytes.ts"
import { Progress } from "../../src/services/progress.ts"
import { UnfinishedRuns } from "../../src/services/unfinished-runs.ts"
import { holdsWord } from "../../src/ledger/unfinished-runs-ledger.ts"
import * as Place from "./data-place.ts"
import * as Retention from "./retention-place.ts"

const paths = (all: ReadonlyArray<{ readonly path: string }>) => all.map(({ path }) => path).toSorted()

/** A project with this data, all marked, whose grace is over; `use` is what is to happen then. */
const afterGrace = <A, E, R, O>(
  put: (root: string) => void,
  over: Layer.Layer<O>,
  use: (root: string) => Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const root = yield* Place.project
    put(root)
    const clock = Retention.makeClock(Place.start)
    const services = Place.services(root, clock)
    yield* Effect.provide(Effect.andThen(Ledger.writeRun(Ledger.runId(99), []), Place.pass("marks")), services)
    clock.state.now += 3 * Place.dayMillis
    return yield* Effect.provide(use(root), Layer.provideMerge(over, services))
  }).pipe(Effect.scoped)

/** A run that has not ended, whose record is this text. */
const open = (text: () => string) =>
  Layer.succeed(UnfinishedRuns, {
    list: () => Effect.succeed([{ run: "open", pipeline: "p", names: (name: string) => holdsWord(text(), name) }]),
  })

describe("a purge of data", () => {
  it.live("looks again who names what when it has gone on for a while", () => {
    const digests: Array<string> = []
    let looks = 0
    const later = Layer.succeed(NamedBytes, {
      find: () => Effect.sync(() => ({ known: true as const, named: new Set(looks++ === 0 ? [] : [digests[1]]) })),
    })
    // Each removal takes a minute, by the clock that nobody sets.
    let minutes = 0
    const slowly = Layer.merge(
      Layer.succeed(Progress, {
        report: ({ note }) => Effect.sync(() => void (note === "removing" && minutes++)),
      }),
      Layer.effect(
        Clock.Clock,
        Effect.map(Clock.Clock, (real): Clock.Clock =>
          Object.assign(Object.create(real), {
            monotonicTimeNanosUnsafe: () => BigInt(minutes) * 60_000_000_000n,
          }),
        ),
      ),
    )
    return Effect.gen(function* () {
      const output = yield* afterGrace(
        (root) => {
          for (let n = 0; n < 2; n++) digests.push(Place.put(root, `.dandori/features/${n}.parquet`, `feature ${n}`))
        },
        Layer.merge(later, slowly),
        () => Place.pass("purges"),
      )
      assert.deepStrictEqual(paths(output.purged), [".dandori/features/0.parquet"])
      assert.deepStrictEqual(output.left, [
        { class: "features", path: ".dandori/features/1.parquet", why: "its bytes are named" },
      ])
    })
  })

  it.live("keeps what a run under way names by its folder, by a pattern, by its whole path or as a snapshot", () =>
    Effect.gen(function* () {
      const put = (root: string) => {
        Place.put(root, "raw files/a/EURUSD_1.csv", "a")
        Place.put(root, "raw files/b/GBPUSD_1.csv", "b")
        Place.put(root, ".dandori/features/x.parquet", "x")
        Place.put(root, ".dandori/snapshots/20200101T000000Z/a", "s")
        Place.put(root, ".dandori/snapshots/20200102T000000Z/a", "t")
      }
      const purged = (record: (root: string) => string) =>
        Effect.gen(function* () {
          let text = ""
          const output = yield* afterGrace(
            (root) => {
              put(root)
              text = record(root)
            },
            open(() => text),
            () => Place.pass("purges"),
          )
          return paths(output.purged)
        })
      const [x, s, t, a, b] = [
        ".dandori/features/x.parquet",
        ".dandori/snapshots/20200101T000000Z",
        ".dandori/snapshots/20200102T000000Z",
        "raw files/a/EURUSD_1.csv",
        "raw files/b/GBPUSD_1.csv",
      ]
      assert.deepStrictEqual(yield* purged(() => "nothing of it"), [x, s, t, a, b])
      // Of raw files and features all are kept while a run names something where they are.
      assert.deepStrictEqual(yield* purged(() => '"path":"raw files/a"'), [x, s, t])
      assert.deepStrictEqual(yield* purged(() => '"path":"raw files/{symbol}_*.csv"'), [x, s, t])
      assert.deepStrictEqual(yield* purged((root) => JSON.stringify({ path: join(root, s, "a") })), [x, t, a, b])
      assert.deepStrictEqual(
        yield* purged(() => '{"snapshot":"20200102T000000Z","from":".dandori/features/x.parquet"}'),
        [s, a, b],
      )
    }),
  )

  Place.test("begins the grace anew for what is put back as it was", ({ root, wait }) =>
    Effect.gen(function* () {
      const feature = () => Place.put(root, ".dandori/features/x.parquet", "x")
      feature()
      yield* Place.pass("marks")
      wait(3)
      assert.lengthOf((yield* Place.pass("purges")).purged, 1)
      feature()
      const [due, ...more] = (yield* Place.pass("marks again")).due
      assert.deepStrictEqual(more, [])
      assert.strictEqual(due.from, new Date(Place.start + 6 * Place.dayMillis).toISOString())
    }),
  )

  Place.test(
    "takes no root that a repository keeps",
    ({ root }) =>
      Effect.gen(function* () {
        Place.put(root, "samples/data/bars.csv", "bars")
        const { message } = yield* Effect.flip(Place.pass("marks"))
        assert.include(message, "Nothing is removed while raw_root is samples/data: it overlaps")
        assert.isTrue(Fs.existsSync(join(root, "samples/data/bars.csv")))
      }),
    Place.sectionsWith({ raw_root: "samples/data" }),
  )
})

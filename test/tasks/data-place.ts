/** What the tests of the retention of data do again and again. */
import * as Fs from "node:fs"
import { dirname, join } from "node:path"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"
import type { Sections } from "../../src/domain/config/sections.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as NamedBytes from "../../src/ledger/named-bytes-ledger.ts"
import * as DuckDbEmbedded from "../../src/services/duckdb-embedded.ts"
import { Progress } from "../../src/services/progress.ts"
import purgeType from "../../tasks/data-purge/index.ts"
import seedType from "../../tasks/seed/index.ts"
import { SeedInput } from "../../tasks/seed/schema.ts"
import * as Project from "../ledger/fixtures/project.ts"
import * as PurgePlace from "../ledger/fixtures/purge-place.ts"
import * as Stage from "./publish/stage.ts"
import { makeClock } from "./retention-place.ts"

export const dayMillis = 86_400_000
/** When the clock of a test begins: no month of the tests' data is younger than ten years then. */
export const start = Date.UTC(2035, 0, 15)

/** A configuration that keeps data as it ships, with a root for raw files. */
export const sectionsWith = (storage: Readonly<Record<string, string>> = {}, grace = 3) =>
  ({
    ...PurgePlace.sections,
    storage: { ...PurgePlace.sections.storage, raw_root: "raw files", ...storage },
    retention: {
      ...PurgePlace.sections.retention,
      raw_days: 60,
      canonical_months: 36,
      features_months: 12,
      adopted_snapshots_months: 24,
      deletion_grace_days: grace,
    },
  }) as Sections

/** A project whose path has a space in it, with its home. */
export const project = Effect.map(Project.folder, (folder) => {
  const root = join(Fs.realpathSync(folder), "a project")
  Fs.mkdirSync(join(root, ".dandori"), { recursive: true })
  return root
})

/** All that `seed` and `data-purge` use in a project, over a ledger in files, at the time of a clock. */
export const services = (root: string, clock: ReturnType<typeof makeClock>, sections = sectionsWith()) => {
  const home = join(root, ".dandori")
  return Layer.mergeAll(
    NamedBytes.layer,
    DuckDbEmbedded.layer,
    Layer.succeed(Progress, { report: () => Effect.void }),
  ).pipe(
    Layer.provideMerge(PurgePlace.servicesOver(home, Project.ledgerAt(home), sections)),
    Layer.provideMerge(clock.layer),
  )
}

/** Writes a file below a project, as it was put at some time. */
export const put = (root: string, path: string, text: string, time = Date.UTC(2020, 0, 1)) => {
  const at = join(root, path)
  Fs.mkdirSync(dirname(at), { recursive: true })
  Fs.writeFileSync(at, text)
  Fs.utimesSync(at, time / 1_000, time / 1_000)
  return Sha256.of(text)
}

/** A partition as `seed` makes it; answers with the digest of its data. */
export const partition = (root: string, path: string, text: string, time?: number) => {
  put(root, `${path}/dq_expectations.yaml`, "name: x\n", time)
  put(root, `${path}/__meta.json`, JSON.stringify({ sha256: Sha256.of(text) }), time)
  return put(root, `${path}/canonical.parquet`, text, time)
}

/** What there is below a folder of a project, folders too. */
export const below = (root: string, path: string): ReadonlyArray<string> =>
  (Fs.readdirSync(join(root, path), { recursive: true }) as Array<string>).toSorted()

/** A pass of data-purge in the run of this name. */
export const pass = (run: string, purge?: boolean) =>
  purgeType.run({ reason: "old", ...(purge === undefined ? {} : { purge }) }).pipe(Effect.provide(Stage.attempt(run)))

/** Bars of a few hours of a month, in the file that `seedMonth` reads. */
export const bars = (root: string, months: ReadonlyArray<string>, path = "bars.csv") =>
  put(
    root,
    path,
    `timestamp,open,high,low,close,volume\n${months.map((month) => `${month}-03T04:00:00Z,1.0,1.2,0.9,1.1,5`).join("\n")}\n`,
  )

/** Seeds months of EURUSD, in the run of this name. */
export const seedMonths = (run: string, months: ReadonlyArray<string>, path = "bars.csv") =>
  Schema.decodeEffect(SeedInput)({
    symbols: ["EURUSD"],
    timeframe: "1h",
    months,
    format: "json",
    source: { kind: "file", path },
  }).pipe(Effect.orDie, Effect.flatMap(seedType.run), Effect.provide(Stage.attempt(run)))

interface Given {
  readonly root: string
  readonly wait: (days: number) => void
}

type Needs = Layer.Success<ReturnType<typeof services>>
type Settled = ReturnType<typeof sectionsWith>

/** A test in a new project with a run in its ledger, whose clock stands until somebody waits. */
export const test = <A, E>(
  name: string,
  body: (given: Given) => Effect.Effect<A, E, Needs | Scope.Scope>,
  sections?: Settled,
  ledger: ReadonlyArray<string> = [Project.runId(99)],
) =>
  it.live(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* project
        const clock = makeClock(start)
        const wait = (days: number) => void (clock.state.now += days * dayMillis)
        const prepared = Effect.andThen(
          Effect.forEach(ledger, (run) => Project.writeRun(run, [])),
          body({ root, wait }),
        )
        return yield* Effect.provide(prepared, services(root, clock, sections))
      }),
    ),
  )

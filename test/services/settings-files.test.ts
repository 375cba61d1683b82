import { fileURLToPath } from "node:url"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { line } from "../../src/domain/config/problem.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import { Settings } from "../../src/services/settings.ts"

const shipped = fileURLToPath(new URL("../../configs", import.meta.url))

/** A project with the shipped configuration, and these files written over it. */
const projectWith = (files: Record<string, string | undefined>) => {
  const project = mkdtempSync(join(tmpdir(), "dandori-settings-"))
  cpSync(shipped, join(project, "configs"), { recursive: true })
  for (const [file, text] of Object.entries(files)) {
    const path = join(project, "configs", file)
    mkdirSync(dirname(path), { recursive: true })
    if (text === undefined) rmSync(path, { recursive: true })
    else writeFileSync(path, text)
  }
  return project
}

const problemsOf = (files: Record<string, string | undefined>, env = "dev") =>
  SettingsFiles.load(projectWith(files), env).pipe(
    Effect.flip,
    Effect.map((error) => error.problems.map(line)),
  )

const base = (section: string) => readFileSync(join(shipped, `base/${section}.yaml`), "utf8")

describe("load", () => {
  it.effect("takes a project without the section exporters for one that has none", () =>
    Effect.gen(function* () {
      const { sections } = yield* SettingsFiles.load(projectWith({ "base/exporters.yaml": undefined }), "dev")
      assert.deepStrictEqual(sections.exporters.exporters, [])
    }),
  )

  it.effect("reports every problem of every file at once, in file order, with its place", () =>
    Effect.gen(function* () {
      const problems = yield* problemsOf({
        "base/training.yaml": base("training").replace("folds: 5", "fold: 5").replace("0.02", "1.5"),
        "base/dq.yaml": base("dq").replace("max_gap: 72h", "max_gap: 72"),
        "envs/dev/backtest_policy.yaml": 'gate:\n  sharpe: "1"\n',
      })
      assert.deepStrictEqual(problems, [
        "configs/base/dq.yaml:9:12: dq.checks.max_gap must be a duration with a unit, like 90s, 5m or 2d, got a number",
        "configs/base/training.yaml:2:3: training.splits.fold is not a known key; did you mean folds?",
        "configs/base/training.yaml:2:3: training.splits.folds is missing",
        "configs/base/training.yaml:15:12: training.feature_builder.outlier must be a value between 0 and 1",
        "configs/envs/dev/backtest_policy.yaml:2:11: backtest_policy.gate.sharpe must be a number, got text",
      ])
    }),
  )

  it.effect("refuses a section, a folder and an environment that it does not know", () =>
    Effect.gen(function* () {
      const problems = yield* problemsOf({
        "base/trainning.yaml": "a: 1\n",
        "base/dq.yml": "a: 1\n",
        "envs/production/dq.yaml": "strict: true\n",
        "extra.yaml": "",
      })
      assert.deepStrictEqual(problems, [
        "configs/base/dq.yml:1:1: is not a known section; did you mean dq.yaml?",
        "configs/base/trainning.yaml:1:1: is not a known section; did you mean training.yaml?",
        "configs/envs/production:1:1: is not a known environment (dev, stg, prod)",
        "configs/extra.yaml:1:1: is not known; sections lie in configs/base and configs/envs/<env>",
      ])
      const unknown = yield* Effect.flip(SettingsFiles.load(projectWith({}), "prd"))
      assert.include(unknown.message, "did you mean prod?")
    }),
  )

  it.effect("says what is not there: a section, an environment's folder, all of it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problemsOf({ "base/universe.yaml": undefined }), [
        "configs/base/universe.yaml:1:1: universe is missing",
      ])
      assert.deepStrictEqual(yield* problemsOf({ "envs/stg": undefined }, "stg"), [
        "configs/envs/stg:1:1: is not there; make the folder with a section in it",
      ])
      const nothing = yield* Effect.flip(SettingsFiles.load(mkdtempSync(join(tmpdir(), "dandori-empty-")), "dev"))
      assert.include(nothing.message, "dandori init")
    }),
  )

  it.effect("refuses a literal secret without repeating it", () =>
    Effect.gen(function* () {
      const secret = "postgres://u:hunter2@db/x"
      const [problem] = yield* problemsOf({
        "base/database.yaml": base("database").replace("${env:POSTGRES_URL}", secret),
      })
      assert.include(problem, "configs/base/database.yaml:2:6: database.dsn must be a reference like ${env:NAME}")
      assert.notInclude(problem, "hunter2")
    }),
  )

  it.effect("refuses a file whose form is wrong, at the place, without its text", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problemsOf({ "base/dq.yaml": "strict: false\nstrict: true\nflags: *x\n" }), [
        "configs/base/dq.yaml:2:1: dq.strict is there twice; it is first written on line 1",
        "configs/base/dq.yaml:3:8: dq.flags is an alias; write the value out",
      ])
    }),
  )

  it.effect("merges maps key by key, lists of named things by name, and replaces other lists", () =>
    Effect.gen(function* () {
      const project = projectWith({
        "envs/dev/universe.yaml":
          "pairs:\n  - id: EURUSD-USDJPY\n    leg_B: { tick_size: 0.01 }\n  - id: AUDUSD-NZDUSD\n    session: fx\n" +
          ["A: { canonical_symbol: AUDUSD", "B: { canonical_symbol: NZDUSD"]
            .map((leg) => `    leg_${leg}, tick_size: 0.0001, min_lot: 0.01, lot_step: 0.01, min_notional_usd: 100 }\n`)
            .join(""),
        "envs/dev/cost_table.yaml": 'slippage_windows: [{ from: "10:00", to: "11:00", factor: 2 }]\n',
      })
      const { origins, sections } = yield* SettingsFiles.load(project, "dev")
      assert.deepStrictEqual(
        sections.universe.pairs.map(({ id, leg_B }) => [id, leg_B.tick_size]),
        [
          ["EURUSD-GBPUSD", 0.0001],
          ["EURUSD-USDJPY", 0.01],
          ["AUDUSD-NZDUSD", 0.0001],
        ],
      )
      assert.strictEqual(sections.universe.pairs[1].leg_B.canonical_symbol, "USDJPY")
      assert.strictEqual(sections.cost_table.slippage_windows.length, 1)
      const at = (path: string) => origins.find((origin) => origin.path === path)?.at
      assert.deepStrictEqual(at("universe.pairs[EURUSD-USDJPY].leg_B.tick_size"), {
        file: "configs/envs/dev/universe.yaml",
        line: 3,
        column: 25,
      })
      assert.strictEqual(at("universe.pairs[EURUSD-USDJPY].leg_B.min_lot")?.file, "configs/base/universe.yaml")
    }),
  )

  it.effect("names the item of a merged list in a problem, at the line that is wrong", () =>
    Effect.gen(function* () {
      const problems = yield* problemsOf({
        "envs/dev/universe.yaml": "pairs:\n  - id: EURUSD-USDJPY\n    leg_B: { tick_sise: 1 }\n",
        "envs/dev/notifications.yaml": "channels:\n  ml-ops:\n    routes:\n      - { to: slak }\n",
      })
      assert.deepStrictEqual(problems, [
        "configs/envs/dev/notifications.yaml:4:15: notifications.channels.ml-ops.routes[0].to must be one of console, file, slack, pagerduty; did you mean slack?",
        "configs/envs/dev/universe.yaml:3:14: universe.pairs[EURUSD-USDJPY].leg_B.tick_sise is not a known key",
      ])
    }),
  )

  it.effect("does not ask for secrets", () =>
    Effect.gen(function* () {
      const { sections } = yield* SettingsFiles.load(projectWith({}), "prod")
      assert.strictEqual(sections.database.dsn, "${env:POSTGRES_URL}")
    }),
  )
})

describe("a run's resolved configuration", () => {
  it.effect("comes back equal from its JSON, digest included", () =>
    Effect.gen(function* () {
      const loaded = yield* SettingsFiles.load(projectWith({}), "stg")
      const again = yield* SettingsFiles.fromResolved(JSON.parse(SettingsFiles.resolved(loaded)))
      assert.deepStrictEqual({ ...again, origins: loaded.origins }, loaded)
    }),
  )

  it.effect("is refused when it is not what this version understands", () =>
    Effect.gen(function* () {
      const { env, sections } = yield* SettingsFiles.load(projectWith({}), "stg")
      const error = yield* Effect.flip(
        SettingsFiles.fromResolved({ env, sections: { ...sections, dq: { strict: 1 } } }),
      )
      assert.include(error.message, "sections.dq.strict must be true or false")
    }),
  )
})

describe("layer", () => {
  it.effect("gives the sections, and digests that change with their section only", () =>
    Effect.gen(function* () {
      const digests = (files: Record<string, string>) =>
        Effect.gen(function* () {
          const settings = yield* Settings
          assert.strictEqual(settings.env, "dev")
          assert.strictEqual(settings.digest("dq"), CanonicalJson.digest(settings.sections.dq))
          return [settings.digest("dq"), settings.digest("storage")]
        }).pipe(Effect.provide(SettingsFiles.layer({ project: projectWith(files), env: "dev" })))
      const before = yield* digests({})
      const reordered = yield* digests({ "envs/dev/dq.yaml": "# only a comment\n" })
      const after = yield* digests({ "envs/dev/dq.yaml": "strict: true\n" })
      assert.deepStrictEqual(reordered, before)
      assert.notStrictEqual(after[0], before[0])
      assert.strictEqual(after[1], before[1])
    }),
  )
})

describe("salvage", () => {
  const usual = new Map(
    ["evacuation", "storage", "training"].map((section) => [`configs/base/${section}.yaml`, base(section)]),
  )

  it.effect("keeps every section that can be used, and takes what is usual for the others", () =>
    Effect.gen(function* () {
      const project = projectWith({
        "base/training.yaml": "folds: [",
        "base/storage.yaml": `${base("storage").replace(/^models_root: .*$/m, "models_root: elsewhere")}`,
        "base/evacuation.yaml": base("evacuation").replace("grace: 30s", "grace: soon"),
      })
      const { configuration, problems } = yield* SettingsFiles.salvage(project, "dev", usual)
      const { sections } = configuration
      assert.strictEqual(sections.storage.models_root, "elsewhere")
      assert.strictEqual(sections.evacuation.grace, "30s")
      const whole = yield* SettingsFiles.load(projectWith({}), "dev")
      assert.deepStrictEqual(sections.training, whole.sections.training)
      assert.deepStrictEqual(
        [...new Set(problems.map(({ file }) => file))],
        ["configs/base/evacuation.yaml", "configs/base/training.yaml"],
      )
    }),
  )

  it.effect("says no more than load where nothing is wrong", () =>
    Effect.gen(function* () {
      const project = projectWith({})
      const { configuration, problems } = yield* SettingsFiles.salvage(project, "dev", usual)
      assert.deepStrictEqual(problems, [])
      assert.deepStrictEqual(configuration.sections, (yield* SettingsFiles.load(project, "dev")).sections)
    }),
  )

  it.effect("knows no environment that there is not", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* Effect.flip(SettingsFiles.salvage(projectWith({}), "prd", usual)))._tag,
        "ConfigInvalid",
      )
    }),
  )
})

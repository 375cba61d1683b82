import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Faketime from "../support/servers/faketime.ts"
import { type Said, dandori, dandoriWith, ndjson, project } from "./evidence-project.ts"

const month = ".dandori/canonical/1h/EURUSD/2020-01"
const shipped = join(import.meta.dirname, "../..", "pipelines/retention.yaml")

const pipeline = `version: 1
id: seeding
tasks:
  seed:
    uses: seed
    with: { symbols: [EURUSD], timeframe: 1h, month: 2020-01, source: { kind: synthetic, seed: 1 } }
`

/** A project with the pipeline that ships, a month that a run has seeded long ago, and an old feature; there is no grace. */
const withOld = Effect.gen(function* () {
  const folder = yield* project
  Fs.writeFileSync(join(folder, "configs/envs/dev/retention.yaml"), "deletion_grace_days: 0\n")
  Fs.mkdirSync(join(folder, "pipelines"))
  Fs.copyFileSync(shipped, join(folder, "pipelines/retention.yaml"))
  Fs.writeFileSync(join(folder, "pipelines/seeding.yaml"), pipeline)
  const seeded = yield* dandori(folder, "run", "seeding", "--json")
  assert.strictEqual(seeded.code, 0, seeded.err)
  Fs.mkdirSync(join(folder, ".dandori/features"))
  Fs.writeFileSync(join(folder, ".dandori/features/old one.parquet"), "x")
  const run = ndjson(seeded.out).flatMap((one) => (typeof one["run"] === "string" ? [one["run"]] : []))[0] ?? ""
  // Ten years later: a time that is given to a file makes it no older.
  const env = yield* Effect.promise(() => Faketime.daysAhead(3_660))
  const later = (...args: ReadonlyArray<string>) => dandoriWith(env, folder, ...args)
  return { folder, later, run }
})

interface Put {
  readonly purged: ReadonlyArray<{ readonly path: string }>
  readonly due: ReadonlyArray<{ readonly path: string }>
  readonly kept: number
}

/** What data-purge has put out in the newest run. */
const output = Effect.fnUntraced(function* (later: (...args: ReadonlyArray<string>) => Effect.Effect<Said>) {
  const [newest] = ndjson((yield* later("runs", "list", "--json")).out)
  const shown = ndjson((yield* later("ledger", "show", String(newest?.["run"]), "--json")).out)
  const said = shown.filter(({ type }) => /attempt\.succeeded/.test(String(type))).map(({ data }) => data)
  const done = said.find((data) => (data as { readonly task: string }).task === "data")
  return (done as { readonly output: Put }).output
})
const paths = (all: ReadonlyArray<{ readonly path: string }>) => all.map(({ path }) => path)

describe("the pipeline retention, of data", () => {
  it.live(
    "marks and then removes what is old and named by nothing, and what a run names once that is purged",
    () =>
      Effect.gen(function* () {
        const { folder, later, run } = yield* withOld
        const pass = Effect.gen(function* () {
          const { code, err, out } = yield* later("run", "retention")
          assert.strictEqual(code, 0, err + out)
          return yield* output(later)
        })
        const marked = yield* pass
        assert.deepStrictEqual(
          [paths(marked.due), marked.purged, marked.kept],
          [[".dandori/features/old one.parquet"], [], 1],
        )
        const dry = yield* later("run", "retention", "--dry-run")
        assert.match(dry.out, /^ +remove features \.dandori\/features\/old one\.parquet, 1 B$/m)
        assert.deepStrictEqual(paths((yield* pass).purged), [".dandori/features/old one.parquet"])
        assert.isTrue(Fs.existsSync(join(folder, month, "canonical.parquet")))

        const purged = yield* later("runs", "purge", run, "--reason", "it was a trial", "--yes")
        assert.strictEqual(purged.code, 0, purged.err)
        assert.deepStrictEqual(paths((yield* pass).due), [month])
        const last = yield* pass
        assert.deepStrictEqual([paths(last.purged), last.kept], [[month], 0])
        assert.deepStrictEqual(Fs.readdirSync(join(folder, ".dandori/canonical")), [])
        const verified = yield* later("ledger", "verify")
        assert.strictEqual(verified.code, 0, verified.out)
        const again = yield* later("run", "seeding")
        assert.strictEqual(again.code, 0, again.err)
        assert.isTrue(Fs.existsSync(join(folder, month, "canonical.parquet")))
      }).pipe(Effect.scoped),
    180_000,
  )

  it.live(
    "goes on with the models where a root is refused; dandori model retain leaves data alone",
    () =>
      Effect.gen(function* () {
        const { folder, later } = yield* withOld
        Fs.writeFileSync(join(folder, "configs/envs/dev/storage.yaml"), "features_root: .dandori/models/x\n")
        const failed = yield* later("run", "retention")
        assert.strictEqual(failed.code, 1, failed.err)
        assert.match(failed.out, /due +succeeded/)
        assert.match(
          failed.out + failed.err,
          /Nothing is removed while features_root is \.dandori\/models\/x: it overlaps models_root/,
        )
        const retained = yield* later("model", "retain", "--yes")
        assert.strictEqual(retained.code, 0, retained.err)
        assert.match(retained.out, /data +skipped/)
      }).pipe(Effect.scoped),
    180_000,
  )
})

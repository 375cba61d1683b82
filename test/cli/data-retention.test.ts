import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, project } from "./evidence-project.ts"

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
  const then = Date.UTC(2020, 5, 1) / 1_000
  for (const path of [".dandori/features/old one.parquet", `${month}/canonical.parquet`]) {
    Fs.utimesSync(join(folder, path), then, then)
  }
  const run = ndjson(seeded.out).flatMap((one) => (typeof one["run"] === "string" ? [one["run"]] : []))[0] ?? ""
  return { folder, run }
})

interface Put {
  readonly purged: ReadonlyArray<{ readonly path: string }>
  readonly due: ReadonlyArray<{ readonly path: string }>
  readonly kept: number
}

/** What data-purge has put out in the newest run. */
const output = Effect.fnUntraced(function* (folder: string) {
  const [newest] = ndjson((yield* dandori(folder, "runs", "list", "--json")).out)
  const shown = ndjson((yield* dandori(folder, "ledger", "show", String(newest?.["run"]), "--json")).out)
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
        const { folder, run } = yield* withOld
        const pass = Effect.gen(function* () {
          const { code, err, out } = yield* dandori(folder, "run", "retention")
          assert.strictEqual(code, 0, err + out)
          return yield* output(folder)
        })
        const marked = yield* pass
        assert.deepStrictEqual(
          [paths(marked.due), marked.purged, marked.kept],
          [[".dandori/features/old one.parquet"], [], 1],
        )
        const dry = yield* dandori(folder, "run", "retention", "--dry-run")
        assert.match(dry.out + dry.err, /remove features \.dandori\/features\/old one\.parquet, 1 B/)
        assert.deepStrictEqual(paths((yield* pass).purged), [".dandori/features/old one.parquet"])
        assert.isTrue(Fs.existsSync(join(folder, month, "canonical.parquet")))

        const purged = yield* dandori(folder, "runs", "purge", run, "--reason", "it was a trial", "--yes")
        assert.strictEqual(purged.code, 0, purged.err)
        assert.deepStrictEqual(paths((yield* pass).due), [month])
        const last = yield* pass
        assert.deepStrictEqual([paths(last.purged), last.kept], [[month], 0])
        assert.deepStrictEqual(Fs.readdirSync(join(folder, ".dandori/canonical")), [])
        const verified = yield* dandori(folder, "ledger", "verify")
        assert.strictEqual(verified.code, 0, verified.out)
        const again = yield* dandori(folder, "run", "seeding")
        assert.strictEqual(again.code, 0, again.err)
        assert.isTrue(Fs.existsSync(join(folder, month, "canonical.parquet")))
      }).pipe(Effect.scoped),
    180_000,
  )

  it.live(
    "goes on with the models where a root is refused; dandori model retain leaves data alone",
    () =>
      Effect.gen(function* () {
        const { folder } = yield* withOld
        Fs.writeFileSync(join(folder, "configs/envs/dev/storage.yaml"), "features_root: .dandori/models/x\n")
        const failed = yield* dandori(folder, "run", "retention")
        assert.strictEqual(failed.code, 1, failed.err)
        assert.match(failed.out, /due +succeeded/)
        assert.match(
          failed.out + failed.err,
          /Nothing is removed while features_root is \.dandori\/models\/x: it overlaps models_root/,
        )
        const retained = yield* dandori(folder, "model", "retain", "--yes")
        assert.strictEqual(retained.code, 0, retained.err)
        assert.match(retained.out, /data +skipped/)
      }).pipe(Effect.scoped),
    180_000,
  )
})

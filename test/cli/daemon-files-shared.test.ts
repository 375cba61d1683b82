import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Postgres from "../../src/services/postgres.ts"
import * as Databases from "../support/servers/databases.ts"
import { daemon, says, until } from "./daemon-project.ts"
import * as EvidenceProject from "./evidence-project.ts"

/** A project with its records in the database, and a configured root elsewhere. */
const checkout = Effect.fnUntraced(function* (url: string, common: string) {
  const folder = yield* EvidenceProject.project
  const write = (path: string, text: string) => Fs.writeFile(join(folder, path), text, { mode: 0o600 })
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(folder, "secrets"), { mode: 0o700 })
    await Fs.mkdir(join(folder, "pipelines"))
    await write("secrets/dsn", url)
    await write("configs/envs/dev/database.yaml", "backend: postgres\ndsn: ${file:secrets/dsn}\n")
    await write("configs/envs/dev/ledger.yaml", "store: postgres\n")
    await write("configs/envs/dev/storage.yaml", `backups_root: ${JSON.stringify(common)}\n`)
    await write(
      "pipelines/arrivals.yaml",
      [
        "version: 1",
        "id: arrivals",
        "params: { path: { type: string } }",
        "on:",
        "  files:",
        `    path: ${JSON.stringify(`${common}/incoming/*.csv`)}`,
        "    complete: rename",
        "    params: { path: '${{ run.file.path }}' }",
        "tasks:",
        "  work:",
        "    uses: command",
        "    with:",
        "      effects: idempotent",
        `      argv: [sh, -c, 'echo "$0 $1" >> "$2/log"', '\${{ run.id }}', '\${{ params.path }}', ${JSON.stringify(common)}]`,
        "",
      ].join("\n"),
    )
  })
  return folder
})

describe("two daemons on one PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    test.effect(
      "start one run for each file that arrives, whichever of them leads",
      () =>
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          const sql = yield* Postgres.open(Databases.options(url))
          const common = yield* EvidenceProject.project
          const folder = yield* checkout(url, common)
          const remembered = Effect.map(
            sql<{ readonly path: string }>`SELECT path FROM core.arrived_files ORDER BY path`,
            (rows) => rows.map(({ path }) => path),
          )
          const has = (count: number) =>
            until(Effect.map(remembered, (all) => (all.length >= count ? true : undefined)))
          const arrive = (name: string) =>
            Effect.promise(async () => {
              await Fs.mkdir(join(common, "incoming"), { recursive: true })
              await Fs.writeFile(join(common, `incoming/.${name}`), name)
              await Fs.rename(join(common, `incoming/.${name}`), join(common, `incoming/${name}`))
            })
          yield* arrive("before.csv")
          const first = yield* daemon(folder)
          yield* until(
            Effect.map(
              Effect.orElseSucceed(remembered, () => []),
              (all) => (all.length > 0 ? true : undefined),
            ),
          )
          const second = yield* daemon(folder)
          yield* says(second, /Standing by/)
          yield* arrive("1.csv")
          yield* arrive("2.csv")
          yield* has(3)
          first.signal("SIGKILL")
          assert.strictEqual(yield* first.ended, 137)
          yield* arrive("3.csv")
          yield* says(second, /Leading/)
          yield* has(4)
          yield* arrive("4.csv")
          yield* has(5)
          const log = Effect.promise(async () => {
            const text = await Fs.readFile(join(common, "log"), "utf8").catch(() => "")
            return new Set(text.split("\n").filter((line) => line !== ""))
          })
          yield* until(Effect.map(log, (all) => (all.size >= 4 ? true : undefined)))
          second.signal("SIGTERM")
          assert.strictEqual(yield* second.ended, 0, second.said())
          const paths = [...(yield* log)].map((line) => line.slice(line.indexOf(" ") + 1))
          assert.deepStrictEqual(
            paths.toSorted(),
            ["1", "2", "3", "4"].map((name) => join(common, `incoming/${name}.csv`)),
          )
        }),
      120_000,
    )
  })
})

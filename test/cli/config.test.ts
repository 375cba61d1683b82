import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Yaml from "yaml"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import { dandori, ndjson, project } from "./evidence-project.ts"

describe("dandori config show", () => {
  it.live("prints the merged configuration as YAML that reads back as the same values", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { sections } = yield* SettingsFiles.load(folder, "prod")
      const all = yield* dandori(folder, "config", "show", "--env", "prod")
      assert.strictEqual(all.code, 0, all.err)
      assert.deepStrictEqual(Yaml.parse(all.out), JSON.parse(JSON.stringify(sections)))
      const one = yield* dandori(folder, "config", "show", "training")
      assert.deepStrictEqual(Yaml.parse(one.out), JSON.parse(JSON.stringify(sections.training)))
    }).pipe(Effect.scoped),
  )

  it.live("says which file and line each value comes from, and leaves secrets as references", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "config", "show", "--env", "prod", "--origin", "database", "--json")
      assert.strictEqual(code, 0)
      const [shown] = ndjson(out)
      assert.deepInclude(shown, { v: 1, kind: "config-show", env: "prod" })
      const origins = shown.origins as ReadonlyArray<{ path: string; value: unknown; file: string; line: number }>
      assert.isTrue(origins.every(({ path }) => path.startsWith("database.")))
      const dsn = origins.find(({ path }) => path === "database.dsn")
      assert.match(String(dsn?.value), /^\$\{(env|file):/)
      const text = yield* Effect.promise(() => Fs.readFile(join(folder, dsn?.file ?? ""), "utf8"))
      assert.include(text.split("\n")[(dsn?.line ?? 0) - 1], "dsn:")
      const people = yield* dandori(folder, "config", "show", "--env", "prod", "--origin", "database")
      assert.match(people.out, /^database\.dsn +"\$\{.*\}" +configs\/.*database\.yaml:\d+$/m)
    }).pipe(Effect.scoped),
  )

  it.live("suggests the section that was meant", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, err } = yield* dandori(folder, "config", "show", "trainng")
      assert.strictEqual(code, 64)
      assert.include(err, "training")
    }).pipe(Effect.scoped),
  )

  it.live("exits with 78 and names file and line when the configuration does not load", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* Effect.promise(() => Fs.appendFile(join(folder, "configs/base/training.yaml"), "\nfold: 3\n"))
      const { code, err } = yield* dandori(folder, "config", "show")
      assert.strictEqual(code, 78)
      assert.match(err, /configs\/base\/training\.yaml:\d+:\d+: .*fold is not a known key/)
      assert.notInclude(err, "    at ")
    }).pipe(Effect.scoped),
  )
})

describe("dandori config doctor", () => {
  it.live("finds nothing missing in the shipped dev environment", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out, err } = yield* dandori(folder, "config", "doctor")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^ok +configuration +the \d+ sections of dev load$/m)
      assert.include(err, "Nothing is missing.")
    }).pipe(Effect.scoped),
  )

  it.live("names the secrets that prod needs, says what to do, and exits with 78", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "config", "doctor", "--env", "prod", "--quiet")
      assert.strictEqual(code, 78)
      assert.match(out, /^missing +database +dsn: .* -> set the environment variable POSTGRES_URL/m)
      assert.notMatch(out, /^ok/m)
      const json = yield* dandori(folder, "config", "doctor", "--env", "prod", "--json")
      assert.strictEqual(json.code, 78)
      const [report] = ndjson(json.out)
      assert.deepInclude(report, { v: 1, kind: "config-doctor", env: "prod" })
    }).pipe(Effect.scoped),
  )

  it.live("exits with 69 where a server alone does not answer, and with 78 where something is missing too", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const write = (file: string, text: string) => Effect.promise(() => Fs.writeFile(join(folder, file), text))
      yield* write("url", "redis://:plantedpassword@127.0.0.1:1/0")
      yield* Effect.promise(() => Fs.chmod(join(folder, "url"), 0o600))
      yield* write("configs/envs/dev/messaging.yaml", "backend: redis\nurl: ${file:url}\n")
      const away = yield* dandori(folder, "config", "doctor", "--quiet")
      assert.strictEqual(away.code, 69, away.out)
      assert.match(away.out, /^unavailable +messaging +url: Redis at 127\.0\.0\.1:1 .* -> start the server/m)
      yield* write("configs/envs/dev/database.yaml", "backend: postgres\ndsn: ${file:absent}\n")
      const { code, err, out } = yield* dandori(folder, "config", "doctor")
      assert.strictEqual(code, 78, out)
      assert.match(
        out,
        /^missing +database +dsn: \$\{file:absent\} .* \(database\.dsn in configs\/envs\/dev\/database\.yaml:2\)$/m,
      )
      assert.include(err, "1 thing is missing or wrong, 1 server does not answer.")
      assert.notInclude(out + err, "plantedpassword")
      assert.deepStrictEqual((yield* Effect.promise(() => Fs.readdir(folder))).toSorted(), ["configs", "url"])
    }).pipe(Effect.scoped),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { parseDuration } from "../../src/domain/quantity.ts"
import * as Incidents from "../../src/services/evacuation/incident/incidents.ts"
import * as Secrets from "../../src/services/secrets.ts"
import * as SettingsFiles from "../../src/services/settings-files.ts"
import cordon from "../../tasks/evacuate/cordon/index.ts"
import * as CordonPlace from "../support/cordon-place.ts"
import * as CutProxy from "../support/cut-proxy.ts"
import * as Project from "../support/engine-project.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

const id = "IR-20260505T031400Z"

/** An incident of a project whose registry is embedded, or at a url. */
const incident = Effect.fnUntraced(function* (url?: string, drill = false) {
  const { home, project } = yield* Project.temporary
  const { sections, ...rest } = yield* Project.configuration
  const database = url === undefined ? sections.database : { ...sections.database, backend: "postgres" as const }
  const services = Layer.mergeAll(
    Incidents.layer({ root: join(home, "incidents"), projectHome: home }),
    SettingsFiles.layerOf({ ...rest, sections: { ...sections, database: { ...database, dsn: "${env:DSN}" } } }),
    Secrets.layer({ project, environment: { DSN: url } }),
  )
  const opened = Date.UTC(2026, 4, 5, 3, 14)
  const { open } = yield* Effect.provide(Incidents.Incidents, services)
  yield* open(
    {
      format: "dandori-incident/1",
      id,
      opened,
      owner: "ada",
      host: "here",
      project,
      env: "dev",
      reason: "fire",
      drill,
      snapshot: "20260505T031400Z",
    },
    { began: opened },
  )
  return {
    raise: Effect.provide(cordon.run({ incident: id }), services),
    names: Effect.promise(() => Fs.readdir(join(home, "cordons")).catch((): Array<string> => [])),
  }
})

describe("evacuate/cordon", () => {
  it.effect("raises the incident's cordon in the project, once, and none for a drill", () =>
    Effect.gen(function* () {
      const { names, raise } = yield* incident()
      assert.deepStrictEqual(yield* raise, { raised: true, epoch: 1 })
      assert.deepStrictEqual(yield* raise, { raised: true, epoch: 1 })
      assert.deepStrictEqual(yield* names, [`${id}.json`])
      const drill = yield* incident(undefined, true)
      assert.deepStrictEqual(yield* drill.raise, { raised: false })
      assert.deepStrictEqual(yield* drill.names, [])
    }),
  )

  layer(Databases.layer, { excludeTestServices: true })("with a database", (test) => {
    test.effect("raises it for all machines that share that, once, whichever of them evacuates", () =>
      Effect.gen(function* () {
        const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
        const [one, two] = yield* Effect.all([incident(url), incident(url)])
        const { cordons } = yield* CordonPlace.sharing(url)
        assert.deepStrictEqual(yield* one.raise, { raised: true, epoch: 1 })
        const found = Option.getOrThrow(yield* cordons.against({ pipeline: "nightly" }))
        assert.deepInclude(found, { id, epoch: 1, owner: "ada", reason: "fire" })
        assert.deepStrictEqual(yield* one.raise, { raised: true, epoch: 1 })
        assert.deepStrictEqual(yield* two.raise, { raised: true, epoch: 1 })
        assert.lengthOf(yield* cordons.list, 1)
      }),
    )
  })

  it.live("says that it is raised here alone while the database is away, and raises it there when called again", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const { names, raise } = yield* incident(server.url)
      yield* Effect.promise(() => server.stop("SIGINT"))
      for (const _ of ["first", "again"]) {
        const { problem, ...rest } = yield* raise
        assert.deepStrictEqual(rest, { raised: true, epoch: 1 })
        assert.match(String(problem), /start the server.*on other machines it keeps nobody until it is raised again/)
      }
      assert.deepStrictEqual(yield* names, [`${id}.json`])
      yield* Effect.acquireRelease(
        Effect.promise(() => server.again()),
        (back) => Effect.promise(() => back.stop("SIGINT")),
      )
      const { cordons } = yield* CordonPlace.sharing(server.url)
      assert.deepStrictEqual(yield* cordons.list, [])
      assert.deepStrictEqual(yield* raise, { raised: true, epoch: 1 })
      assert.strictEqual((yield* cordons.list)[0].id, id)
    }),
  )

  it.live.each([
    ["while it connects", "dandori"],
    ["when it is to change something", "BEGIN"],
  ])("waits no longer than its own time for a database that falls silent %s, whatever is configured", ([, word]) =>
    Effect.gen(function* () {
      const url = new URL((yield* Servers.ownPostgres()).url)
      const proxy = yield* CutProxy.make(Number(url.port))
      url.port = String(proxy.port)
      assert.isAtLeast(parseDuration((yield* Project.configuration).sections.database.timeout) ?? 0, 5_000)
      proxy.cutAt(word, "silence")
      const { names, raise } = yield* incident(url.href)
      const { problem, raised } = yield* raise
      assert.isTrue(raised)
      assert.match(String(problem), /PostgreSQL did not answer within 4000 ms|it took too long/)
      assert.deepStrictEqual(yield* names, [`${id}.json`])
    }),
  )

  it.live("says what secret it lacks to reach the database", () =>
    Effect.gen(function* () {
      const { raise } = yield* incident("")
      const { problem, raised } = yield* raise
      assert.isTrue(raised)
      assert.match(String(problem), /set the environment variable DSN/)
    }),
  )
})

import { hostname } from "node:os"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as EvidenceProject from "./evidence-project.ts"

/** A task that says in the shared log when it begins and when it ends, and waits for the file `go` in between. */
const work = `argv: [sh, -c, 'echo "begin $0" >> "$1/log"; until [ -e "$1/go" ]; do sleep 0.02; done; echo "end $0" >> "$1/log"'`

/** A checkout of the project on a machine of its own, with ledger and leases in the database. */
const checkout = Effect.fnUntraced(function* (url: string, name: string, common: string) {
  const folder = yield* EvidenceProject.project
  const write = (path: string, text: string) => Fs.writeFile(join(folder, path), text, { mode: 0o600 })
  const with_ = `with: { ${work}, ${name}, '${common}'], effects: idempotent }`
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(folder, "secrets"), { mode: 0o700 })
    await Fs.mkdir(join(folder, "pipelines"))
    await write("secrets/dsn", url)
    await write("configs/envs/dev/database.yaml", "backend: postgres\ndsn: ${file:secrets/dsn}\n")
    await write("configs/envs/dev/ledger.yaml", "store: postgres\n")
    const group = "concurrency: { group: retrain, limit: 1, onConflict: queue }\n"
    await write(
      "pipelines/grouped.yaml",
      `version: 1\nid: grouped\n${group}tasks:\n  work: { uses: command, ${with_} }\n`,
    )
    const locked = `resources: { locks: ['models/EURUSD-GBPUSD'] }`
    await write(
      "pipelines/locked.yaml",
      `version: 1\nid: locked\ntasks:\n  work: { uses: command, ${locked}, ${with_} }\n`,
    )
  })
  return folder
})

/** The values that a call says, one by one, and how it ended. */
const call = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = EvidenceProject.start(folder, args)
      const decoder = new TextDecoder()
      const err = new Response(child.stderr).text()
      let text = ""
      const chunks = child.stdout[Symbol.asyncIterator]()
      /** Reads until it says this; fails where it ends before. */
      const until = (what: string) =>
        Effect.promise(async () => {
          while (!text.includes(what)) {
            const { done, value } = await chunks.next()
            if (done === true) throw new Error(`it ended before ${what}: ${text}${await err}`)
            text += decoder.decode(value, { stream: true })
          }
          return text
        })
      const end = Effect.promise(async () => {
        for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
          text += decoder.decode(next.value, { stream: true })
        }
        return { code: await child.exited, out: text, err: await err }
      })
      return { child, until, end, run: () => /"run":"([0-9a-f-]{36})"/.exec(text)?.[1] ?? "" }
    }),
    ({ child }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return child.exited
      }),
  )

/** Two checkouts on one database, and the folder that their tasks work in. */
const machinesOn = Effect.fnUntraced(function* (url: string) {
  const common = yield* EvidenceProject.project
  const [one, two] = yield* Effect.all([checkout(url, "one", common), checkout(url, "two", common)])
  const go = Effect.promise(() => Fs.writeFile(join(common, "go"), ""))
  const log = Effect.promise(async () => (await Fs.readFile(join(common, "log"), "utf8")).trim().split("\n"))
  return { one, two, go, log }
})

const machines = Effect.flatMap(
  Effect.flatMap(Databases.Databases, ({ make }) => make),
  machinesOn,
)

describe("two checkouts of a project on one PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    test.effect(
      "have one run of a concurrency group at a time: the other is queued behind it, and begins after it",
      () =>
        Effect.gen(function* () {
          const { go, log, one, two } = yield* machines
          const first = yield* call(one, "run", "grouped", "--json")
          yield* first.until("attempt.started")
          const second = yield* call(two, "run", "grouped", "--json")
          const said = yield* second.until("run.queued")
          assert.include(said, `"behind":["${first.run()}"]`)
          assert.notInclude(said, "attempt.started")
          yield* go
          const ends = yield* Effect.all([first.end, second.end])
          assert.deepStrictEqual(
            ends.map(({ code }) => code),
            [0, 0],
            ends.map(({ err, out }) => out + err).join("\n"),
          )
          assert.deepStrictEqual(yield* log, ["begin one", "end one", "begin two", "end two"])
        }),
    )

    test.effect("have one holder of a lock, of whom the other and whoever looks is told, with its machine", () =>
      Effect.gen(function* () {
        const { go, log, one, two } = yield* machines
        const first = yield* call(one, "run", "locked", "--json")
        yield* first.until("attempt.started")
        const second = yield* call(two, "run", "locked", "--json")
        const said = yield* second.until('"waiting"')
        const line = EvidenceProject.ndjson(said.slice(0, said.lastIndexOf("\n"))).find(
          ({ kind }) => kind === "waiting",
        )
        const holder = { run: first.run(), task: "work", attempt: 1, pid: first.child.pid, host: hostname() }
        assert.deepInclude(line, { for: "lock models/EURUSD-GBPUSD", holders: [holder], earlier: [] })
        const shown = yield* EvidenceProject.dandori(two, "runs", "show", second.run())
        const wanted = `lock models/EURUSD-GBPUSD, held by run ${first.run()}, pid ${first.child.pid} on ${hostname()}`
        assert.include(shown.out.replace(/\s+/g, " "), wanted, shown.err)
        yield* go
        const ends = yield* Effect.all([first.end, second.end])
        assert.deepStrictEqual(
          ends.map(({ code }) => code),
          [0, 0],
          ends.map(({ err, out }) => out + err).join("\n"),
        )
        assert.deepStrictEqual(yield* log, ["begin one", "end one", "begin two", "end two"])
      }),
    )
  })
})

describe("a run that waits for its place while the database is away", () => {
  it.live("ends when it is told to, and is left to be resumed", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const { go, one, two } = yield* machinesOn(server.url)
      const first = yield* call(one, "run", "grouped", "--json")
      yield* first.until("attempt.started")
      const second = yield* call(two, "run", "grouped", "--json")
      yield* second.until("run.queued")
      yield* Effect.promise(() => server.stop("SIGINT"))
      second.child.kill("SIGINT")
      const { code, err } = yield* second.end
      assert.strictEqual(code, 74, err)
      assert.include(err, `dandori runs resume ${second.run()}`)
      first.child.kill("SIGKILL")
      yield* Effect.acquireRelease(
        Effect.promise(() => server.again()),
        (back) => Effect.promise(() => back.stop("SIGINT")),
      )
      yield* go
      const resumed = yield* EvidenceProject.dandori(two, "runs", "resume", second.run())
      assert.strictEqual(resumed.code, 0, resumed.out + resumed.err)
    }),
  )
})

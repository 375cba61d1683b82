import * as Fs from "node:fs/promises"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Bookmarks } from "../../src/services/bookmarks.ts"
import * as Postgres from "../../src/services/postgres.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as CutProxy from "../support/cut-proxy.ts"
import * as VerifyCopy from "../../src/ledger/verify-copy.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Project from "./fixtures/project.ts"
import { ledgerOf, run, stream } from "./ledger-process.ts"

describe("a ledger in PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    const withDatabase = <A, E, R>(use: (url: string) => Effect.Effect<A, E, R>) =>
      Effect.scoped(
        Effect.flatMap(
          Effect.flatMap(Databases.Databases, ({ make }) => make),
          use,
        ),
      )

    test.effect("refuses every edit of its rows, whoever writes", () =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const ledger = yield* ledgerOf(url)
          yield* ledger.record("system", [Project.finished])
          yield* ledger.keepCheckpoint(1, "text")
          const sql = yield* Postgres.open(Databases.options(url))
          for (const statement of [
            "UPDATE ledger.events SET line = 'x'",
            "DELETE FROM ledger.events",
            "TRUNCATE ledger.events",
            "UPDATE ledger.checkpoints SET text = 'x'",
            "DELETE FROM ledger.checkpoints",
          ]) {
            assert.match((yield* Effect.flip(sql.unsafe(statement))).message, /append-only|not changed/)
          }
        }),
      ),
    )

    test.effect("is read on from where another process has left a bookmark, unless a row before it was edited", () =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const kept = new Map<string, string>()
          const bookmarks: Bookmarks = {
            every: 1,
            read: (name) => Effect.sync(() => kept.get(name)),
            write: (name, text) => Effect.sync(() => void kept.set(name, text)),
          }
          const life = <A, E>(use: Effect.Effect<A, E, Ledger>) =>
            Effect.flatMap(ledgerOf(url), (ledger) => Effect.provideService(use, Ledger, ledger)).pipe(
              Effect.scoped,
              Effect.provideService(Bookmarks, bookmarks),
            )
          const testimonies = Effect.flatMap(Ledger, (ledger) => ledger.testimonies)
          yield* life(Effect.andThen(Project.writeRun(run, Project.attempts(3)), testimonies))
          const [[name, text]] = kept
          const marked = JSON.parse(text)
          const nowhere = Project.runId(9).replaceAll("-", "")
          kept.set(name, JSON.stringify({ ...marked, fold: { ...marked.fold, purged: [nowhere] } }))
          yield* life(Project.writeRun(Project.runId(2), Project.attempts(3)))
          const said = yield* life(testimonies)
          assert.isTrue(said.isPurged(StreamName.ofRun(Project.runId(9))))
          for (const n of [1, 2]) assert.lengthOf(said.of(StreamName.ofRun(Project.runId(n)))?.closed ?? [], 1)
          const sql = yield* Postgres.open(Databases.options(url))
          yield* sql`ALTER TABLE ledger.events DISABLE TRIGGER USER`
          yield* sql`UPDATE ledger.events SET line = replace(line, 'tester', 'nobody') WHERE stream = 'root' AND sequence = 1`
          assert.strictEqual((yield* Effect.flip(life(testimonies)))._tag, "StreamDamaged")
        }),
      ),
    )

    test.effect("finds an edited row by its hashes even when the triggers are gone, and adds nothing after it", () =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const ledger = yield* ledgerOf(url)
          yield* Project.writeRun(run, Project.attempts(6), { open: true }).pipe(Effect.provideService(Ledger, ledger))
          const sql = yield* Postgres.open(Databases.options(url))
          yield* sql`ALTER TABLE ledger.events DISABLE TRIGGER USER`
          yield* sql`UPDATE ledger.events SET line = replace(line, 'tester', 'nobody') WHERE stream = ${stream} AND sequence = 4`
          yield* sql`UPDATE ledger.events SET line = replace(line, 'tester', 'nobody') WHERE stream = 'root'`
          const other = yield* ledgerOf(url)
          assert.deepInclude((yield* other.read(stream)).fault, { kind: "altered", line: 4 })
          assert.strictEqual((yield* Effect.flip(Effect.scoped(other.reopen(stream))))._tag, "StreamDamaged")
          assert.strictEqual((yield* Effect.flip(other.record("root", [Project.finished])))._tag, "StreamDamaged")
        }),
      ),
    )

    test.effect.each([
      [
        "an end of another byte",
        `UPDATE ledger.events SET ends_at = 1 WHERE stream = '${stream}' AND sequence = 8`,
        "altered",
        8,
      ],
      [
        "a stretched number",
        `UPDATE ledger.events SET sequence = 90 WHERE stream = '${stream}' AND sequence = 8`,
        "altered",
        8,
      ],
      [
        "an edited line",
        `UPDATE ledger.events SET line = replace(line, 'tester', 'nobody') WHERE stream = '${stream}' AND sequence = 4`,
        "altered",
        4,
      ],
      ["a deleted line", `DELETE FROM ledger.events WHERE stream = '${stream}' AND sequence = 4`, "missing", 4],
      [
        "a line of another stream",
        `INSERT INTO ledger.events SELECT 'system', 7, line, 1 FROM ledger.events WHERE stream = '${stream}' AND sequence = 4`,
        "missing",
        1,
      ],
      [
        "a run without its beginning",
        `INSERT INTO ledger.events SELECT '${StreamName.ofRun(Project.runId(2))}', sequence, line, ends_at FROM ledger.events WHERE stream = '${stream}' AND sequence > 1`,
        "altered",
        1,
      ],
    ] as const)("names %s in a verification, however the rows were edited", ([, edit, verdict, line]) =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const ledger = yield* ledgerOf(url)
          yield* Project.writeRun(run, Project.attempts(6)).pipe(Effect.provideService(Ledger, ledger))
          const verify = Effect.gen(function* () {
            const fresh = yield* ledgerOf(url)
            return yield* VerifyCopy.verifyCopy().pipe(
              Effect.provideService(Ledger, fresh),
              Effect.provide(Project.platform),
            )
          })
          assert.strictEqual((yield* verify).verdict, "intact")
          const sql = yield* Postgres.open(Databases.options(url))
          yield* sql`ALTER TABLE ledger.events DISABLE TRIGGER USER`
          yield* sql.unsafe(edit)
          const report = yield* verify
          assert.strictEqual(report.verdict, verdict)
          assert.lengthOf(report.faults, 1)
          assert.strictEqual(report.faults[0].line, line)
        }),
      ),
    )

    test.effect("copies nothing to where the name of a stream leads that is none", () =>
      withDatabase((url) =>
        Effect.scoped(
          Effect.gen(function* () {
            const ledger = yield* ledgerOf(url)
            yield* Project.writeRun(run, Project.attempts(6)).pipe(Effect.provideService(Ledger, ledger))
            const sql = yield* Postgres.open(Databases.options(url))
            const folder = yield* Project.folder
            const planted = `runs/../../../../../../../../..${folder}/planted`
            yield* sql`INSERT INTO ledger.events VALUES (${planted}, 1, 'x', 2)`
            const report = yield* VerifyCopy.verifyCopy().pipe(
              Effect.provideService(Ledger, ledger),
              Effect.provide(Project.platform),
            )
            assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), [])
            assert.deepStrictEqual(
              report.strays.map(({ path }) => path),
              [planted],
            )
          }),
        ),
      ),
    )

    test.effect("stops a writer that was cut off, when another process has gone on with its stream", () =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const [one, two] = yield* Effect.all([ledgerOf(url), ledgerOf(url)])
          const sql = yield* Postgres.open({ ...Databases.options(url), applicationName: "an administrator" })
          const written = yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* one.create(stream)
              writer.append(Project.created())
              yield* writer.durable
              // Its session ends, and with it the lock; before it has noticed, another has the stream.
              const taking = Effect.gen(function* () {
                yield* sql`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`
                return yield* two.reopen(stream)
              })
              const taken = yield* Effect.retry(taking, { while: ({ _tag }) => _tag === "StreamBusy" })
              taken.writer.append(Project.attempts(1)[0])
              yield* taken.writer.durable
              writer.append(Project.finished)
              const error = yield* Effect.flip(writer.durable)
              assert.strictEqual(error.code, "FENCED")
              assert.strictEqual((yield* writer.broken).code, "FENCED")
              taken.writer.append(Project.finished)
              yield* taken.writer.durable
              return taken.writer.head()
            }),
          )
          const { entries, fault, head } = yield* two.read(stream)
          assert.isUndefined(fault)
          assert.lengthOf(entries, 3)
          assert.strictEqual(head.hash, written.hash)
        }),
      ),
    )

    test.effect("takes a stream's lock again when its session was lost, and tells whoever lost it to another", () =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const [one, two] = yield* Effect.all([ledgerOf(url), ledgerOf(url)])
          const sql = yield* Postgres.open(Databases.options(url))
          const end = sql`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`
          yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* one.create(stream)
              writer.append(Project.created())
              yield* writer.durable
              yield* end
              yield* Effect.repeat(two.owned(stream), { until: (owned) => owned })
              assert.strictEqual((yield* Effect.flip(Effect.scoped(two.reopen(stream))))._tag, "StreamBusy")
              yield* Effect.retry(Effect.andThen(end, two.reopen(stream)), {
                while: ({ _tag }) => _tag === "StreamBusy",
              })
              assert.strictEqual((yield* writer.broken).code, "FENCED")
            }),
          )
        }),
      ),
    )

    test.effect("adds nothing where entries that it had acknowledged are gone, or others are in their place", () =>
      Effect.forEach(["gone", "others"], (what) =>
        withDatabase((url) =>
          Effect.scoped(
            Effect.gen(function* () {
              const one = yield* ledgerOf(url)
              const writer = yield* one.create(stream)
              for (const event of [Project.created(), ...Project.attempts(5)]) writer.append(event)
              yield* writer.durable
              // The database goes back to an earlier state, as by a restore; others may have gone on from there.
              const sql = yield* Postgres.open(Databases.options(url))
              yield* sql`ALTER TABLE ledger.events DISABLE TRIGGER USER`
              yield* what === "gone"
                ? sql`DELETE FROM ledger.events WHERE stream = ${stream} AND sequence > 4`
                : sql`UPDATE ledger.events SET line = replace(line, 'entryhash":"', 'entryhash":"0') WHERE sequence = 6`
              writer.append(Project.finished)
              const error = yield* Effect.flip(writer.durable)
              assert.match(error.message, /entry 6, .* is not in the table any more/)
              const rows = yield* sql`SELECT max(sequence) FROM ledger.events WHERE stream = ${stream}`.values
              assert.deepStrictEqual(rows, [[what === "gone" ? 4 : 6]])
            }),
          ),
        ),
      ),
    )

    test.effect("waits for a server that takes no changes for a while, and begins nothing where it takes none", () =>
      withDatabase((url) =>
        Effect.scoped(
          Effect.gen(function* () {
            const one = yield* ledgerOf(url)
            const sql = yield* Postgres.open(Databases.options(url))
            const name = new URL(url).pathname.slice(1)
            const others = sql`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
              WHERE datname = ${name} AND pid <> pg_backend_pid()`
            const demoted = Effect.andThen(
              sql`ALTER DATABASE ${sql(name)} SET default_transaction_read_only = on`,
              others,
            )
            const promoted = Effect.andThen(
              sql`ALTER DATABASE ${sql(name)} RESET default_transaction_read_only`,
              others,
            )
            const writer = yield* one.create(stream)
            writer.append(Project.created())
            yield* writer.durable
            yield* demoted
            writer.append(Project.finished)
            const waiting = yield* Effect.forkChild(writer.durable)
            const { message } = yield* Effect.flip(Effect.scoped(one.create(StreamName.ofRun(Project.runId(2)))))
            assert.match(message, /the server takes no changes, as a standby; name the primary/)
            yield* promoted
            yield* Fiber.join(waiting)
            assert.lengthOf((yield* one.read(stream)).entries, 2)
          }),
        ),
      ),
    )

    test.effect("keeps a stream whose lock's session went silent, while the server still takes it for alive", () =>
      withDatabase((url) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { hostname, port } = new URL(url)
            const proxy = yield* CutProxy.make(Number(port))
            const way = { timeoutMillis: 2_000, statementTimeoutMillis: 2_000 }
            const one = yield* ledgerOf(url.replace(`${hostname}:${port}`, `127.0.0.1:${proxy.port}`), way)
            const two = yield* ledgerOf(url)
            const sql = yield* Postgres.open(Databases.options(url))
            const holder = Effect.map(
              sql`SELECT pid FROM pg_locks WHERE locktype = 'advisory'`.values,
              (rows) => rows[0]?.[0],
            )
            const writer = yield* one.create(stream)
            writer.append(Project.created())
            yield* writer.durable
            const before = yield* holder
            proxy.cutAt("pg_backend_pid", "silence")
            yield* Effect.repeat(holder, { until: (pid) => pid !== undefined && pid !== before })
            assert.strictEqual((yield* Effect.flip(Effect.scoped(two.reopen(stream))))._tag, "StreamBusy")
            writer.append(Project.finished)
            yield* writer.durable
          }),
        ),
      ),
    )
  })
})

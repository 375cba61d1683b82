import { readFileSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as LeasesPostgres from "../../src/services/leases-postgres.ts"
import { Leases } from "../../src/services/leases.ts"
import * as Postgres from "../../src/services/postgres.ts"
import { isAlive, lookUp } from "../../src/services/process-table.ts"
import { rowsIn } from "../support/lease-place.ts"
import * as LeaseProcess from "../support/lease-process.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

const a = { locks: ["a"] }
const silent = () => {}
/** A short term, for owners that are to be lost. */
const termMillis = 3_000

/** A process on what is another machine as far as leases go: its home is its own. */
const machine = (url: string, term = termMillis) =>
  Effect.flatMap(LeaseProcess.home, (home) =>
    Effect.map(LeaseProcess.start(home, { url, termMillis: term }), (process) => ({ ...process, home })),
  )

/** The service in this process, in a home of its own. */
const withLeases = <A, E, R>(url: string, use: Effect.Effect<A, E, R>) =>
  Effect.flatMap(LeaseProcess.home, (home) =>
    Effect.provide(use, Layer.fresh(LeasesPostgres.layer({ home, database: Databases.options(url), termMillis }))),
  )

const stubborn = `trap '' INT TERM; echo $$ > "$0"; echo ready; while :; do sleep 0.05; done`

describe("leases of several machines in one database", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    const database = Effect.flatMap(Databases.Databases, ({ make }) => make)

    test.effect("go on when the term of a killed holder is over, and not before", () =>
      Effect.gen(function* () {
        const url = yield* database
        const [one, two, three] = yield* Effect.all([machine(url), machine(url), machine(url)])
        one.acquire("holder", a)
        yield* one.hear("holder", "held")
        two.acquire("in line", a)
        yield* two.hear("in line", "waiting")
        yield* one.kill
        const sql = yield* Postgres.open(Databases.options(url))
        const message = yield* three.refusal("at once", a)
        assert.include(message, `lock a, held by run holder, pid ${one.child.pid} on `)
        const left = sql<{ readonly expires: string; readonly now: string }>`
          SELECT expires, clock_timestamp() AS now FROM core.lease_owners WHERE pid = ${one.child.pid}`
        const [{ expires }] = yield* left
        yield* two.hear("in line", "held")
        const [{ now }] = yield* sql<{ readonly now: string }>`SELECT clock_timestamp() AS now`
        assert.isAtLeast(Date.parse(now), Date.parse(expires))
        assert.lengthOf(yield* left, 0)
      }),
    )

    test.effect("are known to be lost by a holder that was stopped past its term, whose child is stopped with it", () =>
      Effect.gen(function* () {
        const url = yield* database
        const [one, two] = yield* Effect.all([machine(url), machine(url)])
        const file = join(one.home, "child")
        const child = ["sh", "-c", stubborn, file] as const
        one.tell({ do: "acquire", id: "holder", request: LeaseProcess.request("holder", a), child: [...child] })
        yield* one.hear("holder", "at work")
        const pid = Number(readFileSync(file, "utf8"))
        const started = lookUp(pid)?.started ?? ""
        two.acquire("next", a)
        yield* two.hear("next", "waiting")
        one.child.kill("SIGSTOP")
        yield* two.hear("next", "held")
        one.child.kill("SIGCONT")
        const { message } = yield* one.hear("holder", "lost")
        assert.match(message, /its term (could not be renewed|was over)/)
        one.acquire("again", a)
        const { waiting } = yield* one.hear("again", "waiting")
        assert.deepStrictEqual(
          waiting.holders.map(({ run }) => run),
          ["next"],
        )
        yield* two.release("next")
        yield* one.hear("again", "held")
        assert.strictEqual(yield* one.end, 0)
        assert.isFalse(isAlive(pid, started))
      }),
    )

    test.effect("stay with a holder whose heartbeat goes on, for longer than its term", () =>
      Effect.gen(function* () {
        const url = yield* database
        const [one, two] = yield* Effect.all([machine(url, 9_000), machine(url, 9_000)])
        one.acquire("holder", a)
        yield* one.hear("holder", "held")
        two.acquire("next", a)
        yield* two.hear("next", "waiting")
        const sql = yield* Postgres.open(Databases.options(url))
        const expiry = Effect.map(
          sql<{ readonly expires: string }>`SELECT expires FROM core.lease_owners WHERE pid = ${one.child.pid}`,
          ([row]) => Date.parse(row?.expires ?? ""),
        )
        const first = yield* expiry
        yield* Effect.repeat(expiry, {
          until: (now) => now - first > 10_000 || one.words.length > 0,
          schedule: Schedule.spaced(200),
        })
        assert.isEmpty(two.words)
        assert.isEmpty(one.words)
        yield* one.release("holder")
        yield* two.hear("next", "held")
      }),
    )

    test.effect(
      "go from hand to hand two hundred times, and nobody ever holds what another holds",
      () =>
        Effect.gen(function* () {
          const url = yield* database
          const home = yield* LeaseProcess.home
          const log = join(home, "log")
          yield* Effect.promise(() => Fs.writeFile(log, ""))
          const [one, two] = yield* Effect.all([machine(url, 30_000), machine(url, 30_000)])
          const rounds = 100
          const turns = (process: LeaseProcess.Started, name: string) =>
            Effect.gen(function* () {
              for (let round = 0; round < rounds; round++) {
                const id = `${name} ${round}`
                process.acquire(id, a)
                yield* process.hear(id, "held")
                yield* Effect.promise(() => Fs.appendFile(log, `+${name}\n`))
                yield* Effect.promise(() => Fs.appendFile(log, `-${name}\n`))
                yield* process.release(id)
              }
            })
          yield* Effect.all([turns(one, "one"), turns(two, "two")], { concurrency: 2 })
          const lines = readFileSync(log, "utf8").trim().split("\n")
          assert.lengthOf(lines, rounds * 4)
          for (let at = 0; at < lines.length; at += 2) {
            assert.strictEqual(lines[at].slice(1), lines[at + 1].slice(1))
            assert.strictEqual(`${lines[at][0]}${lines[at + 1][0]}`, "+-")
          }
          assert.deepStrictEqual(yield* rowsIn(url), { owners: 2, requests: 0, wants: 0 })
        }),
      { timeout: 120_000 },
    )

    test.effect("are waited for where no notification is ever heard", () =>
      Effect.gen(function* () {
        const url = yield* database
        const [one, two] = yield* Effect.all([machine(url, 30_000), machine(url, 30_000)])
        one.acquire("holder", a)
        yield* one.hear("holder", "held")
        const sql = yield* Postgres.open(Databases.options(url))
        yield* sql`DROP TRIGGER lease_requests_gone ON core.lease_requests`
        two.acquire("next", a)
        yield* two.hear("next", "waiting")
        yield* one.release("holder")
        yield* two.hear("next", "held")
      }),
    )

    test.effect("leave cpu, memory and gpu to each machine, and take them when the lock is had", () =>
      Effect.gen(function* () {
        const url = yield* database
        const [one, two] = yield* Effect.all([machine(url, 30_000), machine(url, 30_000)])
        one.acquire("all here", { cpu: 2, memory: 100 })
        yield* one.hear("all here", "held")
        two.acquire("all there", { cpu: 2, memory: 100 })
        yield* two.hear("all there", "held")
        assert.include(yield* one.refusal("more", { cpu: 1, locks: ["b"] }), "cpu, held by run all here")
        assert.isUndefined(yield* one.refusal("the lock was given back", { locks: ["b"] }))
        one.acquire("both", { cpu: 1, locks: ["b"] })
        assert.strictEqual((yield* one.hear("both", "waiting")).waiting.name, "cpu")
        assert.include(yield* two.refusal("there", { locks: ["b"] }), "lock b, held by run both")
        yield* one.release("all here")
        yield* one.hear("both", "held")
        assert.deepStrictEqual(yield* rowsIn(url), { owners: 2, requests: 1, wants: 1 })
      }),
    )

    test.effect("end the wait with the reason when the database does not let a dead owner go", () =>
      Effect.gen(function* () {
        const url = yield* database
        yield* withLeases(
          url,
          Effect.gen(function* () {
            const leases = yield* Leases
            const request = LeaseProcess.request("own", a)
            yield* Effect.scoped(leases.acquire(request, silent))
            const sql = yield* Postgres.open(Databases.options(url))
            yield* sql`INSERT INTO core.lease_owners VALUES ('dead', 'elsewhere', 1, '', '', '', '2026-01-01T00:00:00Z')`
            const [{ ticket }] = yield* sql<{ readonly ticket: number }>`
              INSERT INTO core.lease_requests (id, owner, run, priority, held)
              VALUES ('request', 'dead', 'old', 0, true) RETURNING ticket`
            yield* sql`INSERT INTO core.lease_wants VALUES ('lock a', ${ticket}, 1, 1)`
            yield* sql.unsafe(`CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE 'the disk is odd'; END $$`)
            yield* sql`CREATE TRIGGER stuck BEFORE DELETE ON core.lease_owners EXECUTE FUNCTION stuck()`
            const error = yield* Effect.flip(Effect.scoped(leases.acquire(request, silent)))
            assert.match(error.message, /cannot be taken in PostgreSQL: .*the disk is odd/)
            const now = yield* Effect.flip(Effect.scoped(leases.acquireNow(request)))
            assert.match(now.message, /the disk is odd/)
            yield* sql`DROP TRIGGER stuck ON core.lease_owners`
            yield* Effect.scoped(leases.acquireNow(request))
          }),
        )
      }),
    )

    test.effect("are not blocked by a process that was stopped while it took some", () =>
      Effect.gen(function* () {
        const url = yield* database
        yield* withLeases(
          url,
          Effect.gen(function* () {
            const leases = yield* Leases
            const request = LeaseProcess.request("own", a)
            yield* Effect.scoped(leases.acquire(request, silent))
            const sql = yield* Postgres.open(Databases.options(url))
            const scope = yield* Scope.make()
            const connection = yield* Scope.provide(sql.reserve, scope)
            yield* connection.executeUnprepared("BEGIN", [], undefined)
            yield* connection.executeUnprepared(
              `SELECT pg_advisory_xact_lock(hashtextextended('dandori lease lock a', 0)),
                set_config('idle_in_transaction_session_timeout', '5s', true)`,
              [],
              undefined,
            )
            yield* Effect.scoped(leases.acquire(request, silent))
            yield* Scope.close(scope, Exit.void)
          }),
        )
      }),
    )
  })
})

describe("leases in a database that goes away", () => {
  it.live("are kept over a restart, and go from hand to hand after it", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const [one, two] = yield* Effect.all([machine(server.url, 60_000), machine(server.url, 60_000)])
      one.acquire("holder", a)
      yield* one.hear("holder", "held")
      two.acquire("next", a)
      yield* two.hear("next", "waiting")
      yield* Effect.promise(() => server.stop("SIGINT"))
      two.acquire("asked while it was away", { locks: ["b"] })
      const back = yield* Effect.acquireRelease(
        Effect.promise(() => server.again()),
        (again) => Effect.promise(() => again.stop("SIGINT")),
      )
      assert.strictEqual(back.url, server.url)
      yield* two.hear("asked while it was away", "held")
      assert.include(yield* two.refusal("now", a), "lock a, held by run holder")
      yield* one.release("holder")
      yield* two.hear("next", "held")
      assert.isUndefined(one.words.find(({ is }) => is === "lost"))
    }),
  )

  it.live("are lost by all who could not renew their term, and are taken anew when it is back", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const [one, two] = yield* Effect.all([machine(server.url), machine(server.url)])
      one.acquire("holder", a)
      yield* one.hear("holder", "held")
      two.acquire("next", a)
      yield* two.hear("next", "waiting")
      yield* Effect.promise(() => server.stop("SIGKILL"))
      assert.match((yield* one.hear("holder", "lost")).message, /could not be renewed in PostgreSQL for 2 s/)
      yield* Effect.acquireRelease(
        Effect.promise(() => server.again()),
        (again) => Effect.promise(() => again.stop("SIGINT")),
      )
      yield* two.hear("next", "held")
      one.acquire("again", a)
      yield* one.hear("again", "waiting")
      yield* two.release("next")
      yield* one.hear("again", "held")
    }),
  )

  it.live("are refused at once to who does not want to wait, with what to do about it", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownPostgres()
      const one = yield* machine(server.url, 30_000)
      yield* Effect.promise(() => server.stop("SIGINT"))
      const message = yield* one.refusal("now", a)
      assert.match(message ?? "", /cannot be taken in PostgreSQL: .*; start the server, or correct host and port/)
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { urlAt } from "../support/daemons-place.ts"
import * as LinkProxy from "../support/link-proxy.ts"
import * as Databases from "../support/servers/databases.ts"
import { asked } from "./daemon-callers.ts"
import { daemon, says, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A run of it goes on until there is a file `go`, and waits for two people beside that. */
const asking = [
  "version: 1",
  "id: asking",
  "tasks:",
  `  work: { uses: command, with: { effects: idempotent, argv: [sh, -c, "while ! [ -e go ]; do sleep 0.05; done"] } }`,
  "  agreed:",
  "    uses: command",
  "    with: { effects: idempotent, argv: [sh, -c, 'echo done > agreed'] }",
  "    approval: { approvers: 2, timeout: 1h, onTimeout: fail }",
  "",
].join("\n")

const toPostgres = Effect.fnUntraced(function* (folder: string, over?: (url: string) => Effect.Effect<string>) {
  const own = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
  const url = over === undefined ? own : yield* over(own)
  yield* Effect.promise(() => Fs.mkdir(join(folder, "secrets"), { mode: 0o700, recursive: true }))
  yield* Effect.promise(() => Fs.writeFile(join(folder, "secrets/dsn"), url, { mode: 0o600 }))
  yield* write(folder, "configs/envs/dev/database.yaml", "backend: postgres\ndsn: ${file:secrets/dsn}\n")
  yield* write(folder, "configs/envs/dev/ledger.yaml", "store: postgres\n")
})

describe("a daemon that leads", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    test.effect(
      "stops its runs when it is cut off from the database, before another one may lead",
      () =>
        Effect.gen(function* () {
          const folder = yield* project
          let link: LinkProxy.Link | undefined
          yield* Effect.addFinalizer(() => Effect.promise(async () => link?.close()))
          yield* toPostgres(folder, (url) =>
            Effect.promise(async () => {
              const { port } = new URL(url)
              link = await LinkProxy.make(Number(port))
              return urlAt(url, link.port)
            }),
          )
          const argv = JSON.stringify(["sh", "-c", "echo $$ > pid; while :; do sleep 0.1; done"])
          yield* write(
            folder,
            "pipelines/long.yaml",
            `version: 1\nid: long\ntasks:\n  work: { uses: command, with: { effects: idempotent, argv: ${argv} } }\n`,
          )
          const { ask, process: leader, token } = yield* asked(folder)
          const operator = yield* token("operator")
          yield* until(
            Effect.map(ask("/pipelines/long", operator), ({ json }) => (json.plan === undefined ? undefined : true)),
          )
          yield* ask("/pipelines/long/runs", operator, {})
          const pid = yield* until(
            Effect.promise(() => Fs.readFile(join(folder, "pid"), "utf8").catch(() => "")).pipe(
              Effect.map((text) => (text.endsWith("\n") ? Number(text) : undefined)),
            ),
          )
          link?.set("severed")
          yield* says(leader, /Leading no more/)
          yield* until(
            Effect.sync(() => {
              try {
                process.kill(pid, 0)
                return undefined
              } catch {
                return true
              }
            }),
          )
          // It waits for the database still.
          assert.notMatch(leader.said(), /Leading no more[^]*Leading\n/)
          link?.set("open")
          leader.signal("SIGKILL")
          yield* leader.ended
        }),
      90_000,
    )
  })
})

describe("two daemons", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    test.effect(
      "know a run that the other one was asked for a moment ago, before it begins",
      () =>
        Effect.gen(function* () {
          const folder = yield* project
          yield* write(folder, "configs/envs/dev/daemon.yaml", "max_runs: 1\n")
          yield* write(folder, "pipelines/asking.yaml", asking)
          const { ask, token } = yield* asked(folder)
          const operator = yield* token("operator")
          const other = yield* daemon(folder)
          const [, url] = yield* says(other, /The API listens on (\S+)/)
          yield* says(other, /Standing by/)
          const leader = (path: string, body?: object) => ask(path, operator, body)
          const standby = (path: string, body?: object) => ask(path, operator, body, {}, url)
          yield* until(
            Effect.map(standby("/pipelines/asking"), ({ json }) => (json.plan === undefined ? undefined : true)),
          )
          for (const [index, [one, other]] of [
            [leader, standby],
            [leader, standby],
            [standby, leader],
            [leader, standby],
            [standby, leader],
          ].entries()) {
            const { run } = (yield* one("/pipelines/asking/runs", {})).json
            const { json, status } = yield* other(`/runs/${run}`)
            assert.strictEqual(status, 200, JSON.stringify(json))
            if (index > 0) assert.strictEqual(json.status, "queued")
          }
        }),
      90_000,
    )
  })
})

describe("a daemon that stands by", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    for (const [where, prepare] of [
      ["in files", () => Effect.void],
      ["in PostgreSQL", toPostgres],
    ] as const) {
      test.effect(
        `takes answers to approvals of runs that the one that leads drives, and refuses what cannot be (${where})`,
        () =>
          Effect.gen(function* () {
            const folder = yield* project
            yield* prepare(folder)
            yield* write(folder, "pipelines/asking.yaml", asking)
            const { ask, process, token } = yield* asked(folder)
            const people = [yield* token("approver"), yield* token("admin")]
            const operator = yield* token("operator")
            const deployed = (at?: string) =>
              until(
                Effect.map(ask("/pipelines/asking", operator, undefined, {}, at), ({ json }) =>
                  json.plan === undefined ? undefined : json,
                ),
              )
            yield* deployed()
            const other = yield* daemon(folder)
            const [, url] = yield* says(other, /The API listens on (\S+)/)
            yield* says(other, /Standing by/)
            yield* deployed(url)
            const { run } = (yield* ask("/pipelines/asking/runs", operator, {})).json
            const pending = yield* until(
              Effect.map(ask("/approvals", operator, undefined, {}, url), ({ json }) => json.approvals?.[0]),
            )
            const answer = (by: string, more: object = {}) =>
              ask(
                `/runs/${run}/approvals`,
                by,
                { decision: "approve", task: "agreed", input: pending.input, reason: "seen", ...more },
                {},
                url,
              )
            const stale = yield* answer(people[0], { input: "0".repeat(64) })
            assert.strictEqual(stale.status, 409, JSON.stringify(stale.json))
            for (const [index, by] of people.entries()) {
              const given = yield* answer(by)
              assert.strictEqual(given.status, 200, JSON.stringify(given.json))
              // The one that leads has taken it.
              yield* until(
                Effect.map(ask(`/runs/${run}`, operator), ({ json }) => {
                  const [{ granted = [] } = {}] = json.approvals ?? [{}]
                  return granted.length > index || json.approvals?.length === 0 ? true : undefined
                }),
              )
            }
            yield* write(folder, "go", "")
            yield* until(
              Effect.map(ask(`/runs/${run}`, operator), ({ json }) => (json.status === "succeeded" ? json : undefined)),
            )
            const { out } = yield* dandori(folder, "ledger", "show", run, "--json")
            for (const by of ["approver-token", "admin-token"]) assert.include(out, by)
            for (const each of [other, process]) {
              each.signal("SIGTERM")
              assert.strictEqual(yield* each.ended, 0, each.said())
            }
          }),
        90_000,
      )
    }
  })
})

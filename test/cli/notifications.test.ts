import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChatServer from "../support/servers/chat-server.ts"
import { daemon, ended, says, until } from "./daemon-project.ts"
import { type Said, dandori, ndjson, project, start } from "./evidence-project.ts"

const configuration = ({ url }: ChatServer.ChatServer) => ({
  timeout: "2s",
  channels: {
    "ml-ops": { routes: [{ to: "slack", channel: "#ml-ops" }] },
    "on-call": { routes: [{ to: "pagerduty" }] },
    "risk-alerts": { routes: [{ to: "console" }] },
  },
  severities: { info: [], warning: [], critical: ["on-call", "risk-alerts"] },
  slack: { webhook: "${file:secrets/webhook}" },
  pagerduty: { routing_key: "${file:secrets/routing-key}", url: `${url}/v2/enqueue` },
})

/** Fails until there is a file `ok`, and gives the secrets away before it does. */
const page = `version: 1
id: page
tasks:
  leak: { uses: command, with: { argv: [cat, secrets/webhook, secrets/routing-key] } }
  say: { uses: notify, with: { channel: ml-ops, text: 'told: \${{ tasks.leak.stdout }}' } }
  work: { uses: command, needs: [say], with: { argv: [sh, -c, "cat secrets/webhook >&2; test -e ok"] } }
onFailure:
  page: { uses: notify, with: { channel: ml-ops, severity: critical, text: 'work failed' } }
`

const tell = `version: 1
id: tell
params: { words: { type: string, default: nothing } }
tasks:
  one: { uses: notify, with: { channel: ml-ops, text: '\${{ params.words }}/one' } }
  two: { uses: notify, with: { channel: ml-ops, text: '\${{ params.words }}/two' } }
`

const inProject = <A, E, R>(use: (folder: string, chat: ChatServer.ChatServer) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const chat = yield* ChatServer.start
      const folder = yield* project
      yield* Effect.promise(async () => {
        for (const name of ["pipelines", "secrets"]) await Fs.mkdir(join(folder, name))
        await Fs.writeFile(join(folder, "secrets/webhook"), `${chat.webhook}\n`, { mode: 0o600 })
        await Fs.writeFile(join(folder, "secrets/routing-key"), `${chat.routingKey}\n`, { mode: 0o600 })
        await Fs.writeFile(join(folder, "configs/envs/dev/notifications.yaml"), JSON.stringify(configuration(chat)))
        await Fs.writeFile(join(folder, "pipelines/page.yaml"), page)
        await Fs.writeFile(join(folder, "pipelines/tell.yaml"), tell)
      })
      return yield* use(folder, chat)
    }),
  )

const everyFile = (folder: string) =>
  Effect.promise(async () => {
    const found = await Fs.readdir(folder, { recursive: true, withFileTypes: true })
    const files = found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
    return Promise.all(files.map(async (file) => [file, await Fs.readFile(file, "latin1")] as const))
  })

const system = (folder: string) =>
  Effect.map(dandori(folder, "ledger", "show", "system", "--json"), ({ out }) =>
    ndjson(out).filter(({ type }) => String(type).startsWith("dev.dandori.notification.")),
  )

describe("a pipeline that fails", () => {
  it.live("opens one alert however often it does, which its next success resolves", () =>
    inProject((folder, chat) =>
      Effect.gen(function* () {
        const key = "dandori/dev/page"
        for (const alerts of [1, 2]) {
          const { code } = yield* dandori(folder, "run", "page", "--quiet")
          assert.strictEqual(code, 1)
          assert.strictEqual(chat.pagerDuty().length, alerts)
          assert.deepStrictEqual([...chat.alerts], [[key, "trigger"]])
        }
        yield* Effect.promise(() => Fs.writeFile(join(folder, "ok"), ""))
        assert.strictEqual((yield* dandori(folder, "run", "page", "--only", "work", "--quiet")).code, 0)
        assert.strictEqual(chat.alerts.get(key), "trigger")

        const { code, err } = yield* dandori(folder, "run", "page")
        assert.strictEqual(code, 0)
        assert.deepStrictEqual([...chat.alerts], [[key, "resolve"]])
        assert.match(err, /\[resolved\] page succeeds again: Run [0-9a-f-]{36} has ended as succeeded/)
        assert.include(JSON.stringify(chat.slack().at(-1)), "*Resolved*")
        const told = chat.received.length
        yield* dandori(folder, "run", "page", "--quiet")
        assert.strictEqual(chat.received.length, told + 1)
        assert.include(JSON.stringify(chat.slack().at(-1)), "told: ")
      }),
    ),
  )

  it.live("is not over for a daemon when one task of it succeeds, and is when all of it does", () =>
    inProject((folder, chat) =>
      Effect.gen(function* () {
        const key = "dandori/dev/page"
        assert.strictEqual((yield* dandori(folder, "run", "page", "--quiet")).code, 1)
        const [{ run }] = ndjson((yield* dandori(folder, "runs", "list", "--json")).out)
        yield* Effect.promise(() => Fs.writeFile(join(folder, "ok"), ""))
        const process = yield* daemon(folder)
        const [, url] = yield* says(process, /The API listens on (\S+)/)
        const token = /dandori_\S+/.exec(
          (yield* dandori(folder, "token", "create", "ada", "--role", "operator")).out,
        )?.[0]
        const post = (path: string, body: unknown) =>
          Effect.promise(async () => {
            const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
            const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
            return ((await response.json()) as { readonly run?: string }).run
          })
        const isOver = (wanted: string | undefined) =>
          until(Effect.map(ended(folder, "page"), (all) => (wanted === undefined ? undefined : all.get(wanted))))
        assert.strictEqual(yield* isOver(yield* post(`/runs/${String(run)}/retry`, { only: "work" })), "succeeded")
        const whole = yield* until(post("/pipelines/page/runs", {}))
        assert.strictEqual(yield* isOver(whole), "succeeded")
        yield* until(Effect.sync(() => (chat.alerts.get(key) === "resolve" ? key : undefined)))
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0)
        const resolved = [...process.said().matchAll(/succeeds again: Run (\S+)/g)].map(([, by]) => by)
        assert.deepStrictEqual(resolved, [whole])
      }),
    ),
  )

  it.live("has its deliveries in system, and the secrets nowhere", () =>
    inProject((folder, chat) =>
      Effect.gen(function* () {
        chat.script("/v2", [{ status: 400, text: JSON.stringify({ message: "no", errors: [chat.routingKey] }) }])
        chat.script("/services", [{ status: 500, text: chat.webhook }])
        const runs: Array<Said> = [
          yield* dandori(folder, "run", "page"),
          yield* dandori(folder, "run", "page", "--json"),
        ]
        const entries = yield* system(folder)
        assert.sameMembers(
          entries.map(({ data, type }) => {
            const { action, dedupKey, route } = data as Record<string, unknown>
            return `${type} ${route} ${action} ${dedupKey ?? "-"}`.replace("dev.dandori.notification.", "")
          }),
          [
            "refused.v1 pagerduty trigger dandori/dev/page",
            "delivered.v1 pagerduty trigger dandori/dev/page",
            "delivered.v1 slack:#ml-ops trigger -",
            "delivered.v1 slack:#ml-ops trigger -",
            ...["slack:#ml-ops", "console"].flatMap((route) =>
              Array.from({ length: 2 }, () => `delivered.v1 ${route} trigger dandori/dev/page`),
            ),
          ],
        )
        assert.include(runs[0].err, "will not reach pagerduty: HTTP 400 no [secret secrets/routing-key]")
        runs.push(yield* dandori(folder, "ledger", "verify"), yield* dandori(folder, "config", "show"))
        assert.strictEqual(runs[2].code, 0)
        const texts = [
          ...runs.map((run): readonly [string, string] => ["output", run.out + run.err]),
          ...(yield* everyFile(join(folder, ".dandori"))),
        ]
        assert.isAbove(texts.length, 20)
        for (const [name, text] of texts) {
          for (const secret of [chat.routingKey, new URL(chat.webhook).pathname, "plantedWebhookSecret1"]) {
            assert.notInclude(text, secret, name)
          }
        }
        assert.include(JSON.stringify(chat.slack()), "[secret secrets/webhook]")
      }),
    ),
  )
})

describe("a process that is killed", () => {
  it.live("leaves each message to be delivered by the next ones, wherever it is killed", () =>
    inProject((folder, chat) =>
      Effect.gen(function* () {
        const deaths = ["onRequest", "onAnswered", "onRequest", "onAnswered", "onRequest"] as const
        for (const [n, moment] of deaths.entries()) {
          const child = start(folder, ["run", "tell", "--quiet", "--param", `words=w${n}`])
          let count = 0
          chat[moment] = () => void (++count > n % 3 && child.kill("SIGKILL"))
          yield* Effect.promise(() => child.exited)
          chat[moment] = () => {}
        }
        const { code, err } = yield* dandori(folder, "run", "tell", "--quiet", "--param", "words=last")
        assert.deepStrictEqual([code, err], [0, ""])
        const left = yield* Effect.promise(() => Fs.readdir(join(folder, ".dandori/outbox/pending")))
        assert.deepStrictEqual(
          left.filter((name) => !name.startsWith(".")),
          [],
        )
        const started = yield* everyFile(join(folder, ".dandori/outbox/delivered"))
        const told = JSON.stringify(chat.slack())
        assert.isAtLeast(started.length, 7)
        for (const [, text] of started) assert.include(told, JSON.parse(text).message.text)
        assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
      }),
    ),
  )
})

describe("a run", () => {
  it.live("ends well, and at once, when nobody takes its messages for now, and says what is left", () =>
    inProject((folder, chat) =>
      Effect.gen(function* () {
        chat.script("/services", [{ status: 429, headers: { "retry-after": "3600" } }])
        const { code, err } = yield* dandori(folder, "run", "tell", "--quiet")
        assert.strictEqual(code, 0)
        assert.match(
          err,
          /^2 notifications are not delivered yet \(slack:#ml-ops: HTTP 429\); kept in .*outbox for the/,
        )
        assert.strictEqual(chat.received.length, 1)
      }),
    ),
  )

  it.live("is told by config doctor which secret is missing", () =>
    inProject((folder) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => Fs.rm(join(folder, "secrets/routing-key")))
        const { out } = yield* dandori(folder, "config", "doctor")
        assert.include(out, "pagerduty.routing_key: ${file:secrets/routing-key} is not there: nobody is paged")
      }),
    ),
  )
})

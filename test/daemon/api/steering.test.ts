import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import { Authorization, Needs } from "../../../src/daemon/api/authorization.ts"
import { Api } from "../../../src/daemon/api/document.ts"
import { Role, may, rolesFor } from "../../../src/domain/token.ts"
import { Host } from "../../../src/daemon/host.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import * as ApiPlace from "./api-place.ts"

type Place = Effect.Success<ReturnType<typeof ApiPlace.make>>

const start = ({ services }: Place, pipeline: string, authid = "olga") =>
  Effect.map(
    Context.get(services, Host).start({
      pipeline,
      params: {},
      run: Bun.randomUUIDv7(),
      who: { authid, authtype: "api_key" },
      trigger: "api",
    }),
    ({ run }) => run,
  )

const entriesOf = ({ services }: Place, run: string) =>
  Effect.map(Context.get(services, Ledger).read(StreamName.ofRun(run)), ({ entries }) => entries)

/** Reads a run until it stands so. */
const until = ({ call }: Place, token: string, run: string, status: string) =>
  Effect.map(
    Effect.repeat(call(`/api/v1/runs/${run}`, { token }), { until: ({ body }) => body.status === status }),
    ({ body }) => body,
  )

/** A place with a token of each role. */
const staffed = Effect.gen(function* () {
  const place = yield* ApiPlace.make()
  const token = (name: string, role: Role) => place.token(name, role)
  const viewer = yield* token("vera", "viewer")
  const operator = yield* token("olga", "operator")
  const approver = yield* token("pia", "approver")
  const admin = yield* token("ada", "admin")
  return { ...place, viewer, operator, approver, admin }
})

const input = "a".repeat(64)

/** Every endpoint that changes something, and what it needs: by the API itself, so that none is left out. */
const changing = Object.values<HttpApiGroup.Constraint>(Api.groups)
  .flatMap(({ endpoints }) => Object.values(endpoints as Readonly<Record<string, HttpApiEndpoint.Top>>))
  .filter(({ method }) => method !== "GET")
  .map(({ annotations, method, middlewares, path }) => ({
    method,
    path,
    needs: Context.get(annotations, Needs),
    asksForToken: middlewares.has(Authorization),
  }))

describe("what each role may do", () => {
  it.live("is less than what changes something needs, whatever is asked of it: a role that is too low gets 403", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "hanging")
      const before = yield* entriesOf(place, run)
      const known: Readonly<Record<string, string>> = { run, pipeline: "given", cordon: "none", token: run }
      // Webhooks are signed instead: for them there is no role.
      const [asking, signed] = [true, false].map((is) => changing.filter(({ asksForToken }) => asksForToken === is))
      assert.deepStrictEqual(
        signed.map(({ method, path }) => `${method} ${path}`),
        ["POST /api/v1/hooks/:pipeline"],
      )
      assert.isAbove(asking.length, 10)
      for (const { method, needs, path } of asking) {
        assert.notStrictEqual(needs, "read", `${method} ${path}`)
        for (const role of Role.literals.filter((one) => !may(one, needs))) {
          // What does not exist and what is no request of the document at all are refused as well: the role comes first.
          for (const filled of [(name: string) => known[name] ?? "none", () => "%20no-such-thing%20"]) {
            const url = path.replace(/:(\w+)/g, (_, name: string) => filled(name))
            for (const body of [{}, { surplus: 1 }, []]) {
              const { body: problem, status } = yield* place.call(url, {
                method,
                token: place[role],
                headers: { "content-type": "application/json" },
                body: JSON.stringify(body),
              })
              const what = `${role} ${method} ${url} ${JSON.stringify(body)}`
              assert.strictEqual(status, 403, what)
              assert.strictEqual(problem.code, "RoleTooLow", what)
              for (const enough of rolesFor(needs)) assert.include(problem.detail, enough, what)
            }
          }
        }
      }
      assert.deepStrictEqual(yield* entriesOf(place, run), before)
    }),
  )

  it.live("is what it is for: a viewer changes nothing, an approver starts nothing", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "hanging")
      const approval = { decision: "approve", task: "go", input }
      const asked = [
        [`/api/v1/runs/${run}/cancel`, { reason: "x" }, ["operator", "admin"]],
        [`/api/v1/runs/${run}/resolutions`, { task: "go", as: "failed", reason: "x" }, ["operator", "admin"]],
        [`/api/v1/runs/${run}/retry`, {}, ["operator", "admin"]],
        [`/api/v1/runs/${run}/resume`, {}, ["operator", "admin"]],
        [`/api/v1/runs/${run}/approvals`, approval, ["approver", "admin"]],
        ["/api/v1/pipelines/good/runs", {}, ["operator", "admin"]],
        ["/api/v1/schedules/given/pause", { reason: "x" }, ["operator", "admin"]],
        ["/api/v1/schedules/given/resume", { reason: "x" }, ["operator", "admin"]],
        [`/api/v1/schedules/given/backfills/${run}/cancel`, { reason: "x" }, ["operator", "admin"]],
        ["/api/v1/cordons", { reason: "x", scope: ["good"] }, ["operator", "admin"]],
        ["/api/v1/cordons/none/lift", { reason: "x" }, ["operator", "admin"]],
        ["/api/v1/tokens", { name: "eve", role: "viewer" }, ["admin"]],
        [`/api/v1/tokens/${run}/revoke`, {}, ["admin"]],
      ] as const
      for (const [path, body, roles] of asked) {
        for (const role of ["viewer", "operator", "approver", "admin"] as const) {
          if ((roles as ReadonlyArray<string>).includes(role)) continue
          const refused = yield* place.post(path, place[role], body)
          assert.strictEqual(refused.status, 403, `${role} ${path}`)
          assert.strictEqual(refused.body.code, "RoleTooLow")
        }
      }
      assert.strictEqual((yield* place.call("/api/v1/tokens", { token: place.operator })).status, 403)
      // Nothing came of any of it.
      assert.strictEqual((yield* until(place, place.viewer, run, "running")).status, "running")
      assert.deepStrictEqual((yield* place.call("/api/v1/cordons", { token: place.viewer })).body, { cordons: [] })
      assert.lengthOf((yield* place.call("/api/v1/runs", { token: place.viewer })).body.runs, 1)
      for (const [path, body, roles] of asked) {
        const allowed = yield* place.post(path, place[roles[0]], body)
        assert.notInclude([401, 403, 500], allowed.status, `${roles[0]} ${path}`)
      }
    }),
  )
})

describe("a run that this daemon drives", () => {
  it.live("is cancelled in the name of the token's owner", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "hanging", "otto")
      const cancelled = yield* place.post(`/api/v1/runs/${run}/cancel`, place.operator, { reason: "enough" })
      assert.deepStrictEqual(cancelled.body, { run, by: "olga" })
      const ended = yield* until(place, place.viewer, run, "cancelled")
      assert.strictEqual(ended.who, "otto")
      const entries = yield* entriesOf(place, run)
      const of = (type: string) => entries.find((entry) => entry.type === `dev.dandori.${type}.v1`)
      assert.deepInclude(of("run.created"), { authid: "otto", authtype: "api_key" })
      assert.deepInclude(of("cancel.requested"), {
        authid: "olga",
        authtype: "api_key",
        data: { reason: "olga: enough" },
      })
      assert.notInclude(["olga", "otto"], of("run.finished")?.authid)
      const again = yield* place.post(`/api/v1/runs/${run}/cancel`, place.operator, { reason: "enough" })
      assert.strictEqual(again.status, 409)
      assert.match(again.body.detail, /has ended/)
    }),
  )

  it.live("is cancelled, like on the command line, by the machine's user behind the socket", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "hanging")
      const cancelled = yield* place.call(`/api/v1/runs/${run}/cancel`, {
        unix: `${place.home}/daemon.sock`,
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ reason: "enough" }),
      })
      assert.deepStrictEqual(cancelled.body, { run, by: "local" })
      yield* until(place, place.viewer, run, "cancelled")
      const asked = (yield* entriesOf(place, run)).find(({ type }) => type === "dev.dandori.cancel.requested.v1")
      assert.deepInclude(asked, { authid: "local", authtype: "user" })
    }),
  )
})

describe("an approval", () => {
  it.live("is given by another than who asked for the run, about the very input, and recorded as theirs", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "asking", "pia")
      const waits = yield* until(place, place.viewer, run, "waiting")
      const [asked] = waits.approvals
      assert.deepInclude(asked, { run, pipeline: "asking", task: "go", requester: "pia", approvers: 1, granted: [] })
      const listed = yield* place.call("/api/v1/approvals", { token: place.viewer })
      assert.deepStrictEqual(listed.body.approvals, waits.approvals)

      const path = `/api/v1/runs/${run}/approvals`
      const agree = { decision: "approve", task: "go", input: asked.input, reason: "looks right" }
      const own = yield* place.post(path, place.approver, agree)
      assert.strictEqual(own.status, 403)
      assert.deepInclude(own.body, { code: "OwnRequest" })
      const other = yield* place.post(path, place.admin, { ...agree, input })
      assert.strictEqual(other.status, 409)
      assert.match(other.body.detail, /no longer the one that you saw/)
      const wrong = yield* place.post(path, place.admin, { ...agree, task: "nothing" })
      assert.strictEqual(wrong.status, 409)

      const given = yield* place.post(path, place.admin, agree)
      assert.deepStrictEqual(given.body, { run, by: "ada" })
      const granted = (yield* entriesOf(place, run)).find(({ type }) => type === "dev.dandori.approval.granted.v1")
      assert.deepInclude(granted, { authid: "ada", authtype: "api_key" })
      assert.deepStrictEqual(granted?.data, { task: "go", input: asked.input, by: "ada", reason: "looks right" })

      const resumed = yield* place.post(`/api/v1/runs/${run}/resume`, place.operator, {})
      assert.strictEqual(resumed.status, 200, resumed.text)
      assert.strictEqual((yield* until(place, place.viewer, run, "succeeded")).approvals.length, 0)
      const over = yield* place.post(`/api/v1/runs/${run}/resume`, place.operator, {})
      assert.deepInclude(over.body, { status: 409, code: "RunEnded" })
    }),
  )

  it.live("reaches a run that goes on meanwhile, in the name of who gave it", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "both")
      const shown = place.call(`/api/v1/runs/${run}`, { token: place.viewer })
      const { body } = yield* Effect.repeat(shown, { until: (answer) => answer.body.approvals.length > 0 })
      const [{ input: seen }] = body.approvals
      const agree = { decision: "approve", task: "go", input: seen }
      const given = yield* place.post(`/api/v1/runs/${run}/approvals`, place.approver, agree)
      assert.strictEqual(given.status, 200, given.text)
      const granted = (yield* entriesOf(place, run)).find(({ type }) => type === "dev.dandori.approval.granted.v1")
      assert.deepInclude(granted, { authid: "pia", authtype: "api_key" })
      const twice = yield* place.post(`/api/v1/runs/${run}/approvals`, place.approver, agree)
      assert.strictEqual(twice.status, 409)
      yield* place.post(`/api/v1/runs/${run}/cancel`, place.operator, { reason: "enough" })
      yield* until(place, place.viewer, run, "cancelled")
    }),
  )

  it.live("is refused with a reason", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "asking")
      const [asked] = (yield* until(place, place.viewer, run, "waiting")).approvals
      const path = `/api/v1/runs/${run}/approvals`
      const silent = yield* place.post(path, place.approver, { decision: "refuse", task: "go", input: asked.input })
      assert.strictEqual(silent.status, 400)
      const refuse = { decision: "refuse", task: "go", input: asked.input, reason: "too risky" }
      assert.strictEqual((yield* place.post(path, place.approver, refuse)).status, 200)
      const entry = (yield* entriesOf(place, run)).find(({ type }) => type === "dev.dandori.approval.refused.v1")
      assert.deepInclude(entry?.data, { by: "pia", reason: "too risky" })
    }),
  )
})

describe("a run that has ended", () => {
  it.live("is run again, but for what succeeded", () =>
    Effect.gen(function* () {
      const place = yield* staffed
      const run = yield* start(place, "bad")
      yield* until(place, place.viewer, run, "failed")
      const again = yield* place.post(`/api/v1/runs/${run}/retry`, place.operator, {})
      assert.strictEqual(again.status, 201, again.text)
      const keyed = { "idempotency-key": "again-1" }
      const one = yield* place.post(`/api/v1/runs/${run}/retry`, place.operator, {}, keyed)
      const two = yield* place.post(`/api/v1/runs/${run}/retry`, place.operator, {}, keyed)
      assert.deepStrictEqual([one.status, two.status], [201, 200])
      assert.strictEqual(two.body.run, one.body.run)
      const detail = yield* until(place, place.viewer, again.body.run, "failed")
      assert.deepInclude(detail, { from: run, pipeline: "bad", who: "olga" })
      assert.deepStrictEqual(
        detail.tasks.map(({ id, status }: { readonly id: string; readonly status: string }) => [id, status]),
        [
          ["broken", "failed"],
          ["after", "skipped"],
        ],
      )
    }),
  )
})

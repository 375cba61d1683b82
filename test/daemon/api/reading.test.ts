import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Ledger } from "../../../src/ledger/ledger.ts"
import { ModelRegistry } from "../../../src/services/model-registry.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import * as ApiPlace from "./api-place.ts"

describe("what the API tells", () => {
  it.live("of pipelines, plans and schedules is what the host knows", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const token = yield* place.token("ada", "admin")
      const get = (path: string) => place.call(`/api/v1${path}`, { token })
      const { pipelines } = (yield* get("/pipelines")).body
      const given = pipelines.find(({ id }: { readonly id: string }) => id === "given")
      assert.deepInclude(given, { id: "given", file: "pipelines/given.yaml" })
      assert.deepStrictEqual((yield* get("/pipelines/given")).body, given)
      assert.deepInclude((yield* get("/pipelines/given/plan")).body, { id: "given", format: 1 })
      assert.deepInclude((yield* get("/pipelines/nothing")).body, { status: 404, code: "PipelineMissing" })
      assert.strictEqual((yield* get("/pipelines/nothing/plan")).status, 404)

      const schedule = (yield* get("/schedules/given")).body
      assert.lengthOf(schedule.next, 5)
      assert.deepStrictEqual((yield* get("/schedules")).body, { schedules: [schedule] })
      assert.strictEqual((yield* get("/schedules/good")).body.code, "ScheduleMissing")
      const paused = yield* place.post("/api/v1/schedules/given/pause", token, { reason: "holiday" })
      assert.deepInclude(paused.body.paused, { by: "ada", reason: "holiday" })
      const resumed = yield* place.post("/api/v1/schedules/given/resume", token, { reason: "back" })
      assert.isUndefined(resumed.body.paused)
      const range = { from: "2026-05-01T00:00:00Z", to: "2026-05-04T00:00:00Z", definition: "today" }
      const backfill = yield* place.post("/api/v1/schedules/given/backfills", token, range)
      assert.lengthOf(backfill.body.runs, 3)
      const cancel = (id: string, body: unknown = { reason: "it is not needed" }) =>
        place.post(`/api/v1/schedules/given/backfills/${id}/cancel`, token, body)
      const { backfill: id } = backfill.body
      assert.strictEqual((yield* cancel(id, {})).status, 400)
      assert.strictEqual((yield* cancel("nothing")).status, 400)
      assert.deepStrictEqual((yield* cancel(id)).body, { backfill: id, left: 3 })
      assert.deepInclude((yield* cancel(id)).body, { status: 404, code: "BackfillMissing" })
      const never = { ...range, from: "2026-02-31T25:00:00Z" }
      assert.strictEqual((yield* place.post("/api/v1/schedules/given/backfills", token, never)).status, 400)
    }),
  )

  it.live("of cordons is what stands, raised and lifted in the name of who asked", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const token = yield* place.token("olga", "operator")
      const wish = { id: "ir-1", reason: "the disk is full", scope: ["good"], expires: "4h" }
      const raised = yield* place.post("/api/v1/cordons", token, wish)
      assert.strictEqual(raised.status, 201, raised.text)
      assert.deepInclude(raised.body, { id: "ir-1", owner: "olga", scope: ["good"], epoch: 1 })
      assert.strictEqual(raised.body.expires - raised.body.raised >= 4 * 3_600_000 - 1_000, true)
      const twice = yield* place.post("/api/v1/cordons", token, wish)
      assert.deepInclude(twice.body, { status: 409, code: "CordonTaken" })
      const { cordons } = (yield* place.call("/api/v1/cordons", { token })).body
      assert.deepStrictEqual(cordons, [raised.body])
      const lifted = yield* place.post("/api/v1/cordons/ir-1/lift", token, { reason: "freed" })
      assert.strictEqual(lifted.status, 200, lifted.text)
      const gone = yield* place.post("/api/v1/cordons/ir-1/lift", token, { reason: "freed" })
      assert.deepInclude(gone.body, { status: 404, code: "CordonMissing" })
      assert.strictEqual((yield* place.post("/api/v1/cordons/..%2fx/lift", token, { reason: "x" })).status, 400)
      const { entries } = yield* Context.get(place.services, Ledger).read("system")
      assert.deepStrictEqual(
        entries
          .filter(({ type }) => type.includes(".cordon."))
          .map(({ authid, authtype, data, type }) => [type, authid, authtype, (data as { reason: string }).reason]),
        [
          ["dev.dandori.cordon.raised.v1", "olga", "api_key", "the disk is full"],
          ["dev.dandori.cordon.lifted.v1", "olga", "api_key", "freed"],
        ],
      )
    }),
  )

  it.live("of models is what the registry has, with its histories", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const token = yield* place.token("vera", "viewer")
      const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
      const model = {
        version: "20260101_0000_abcdef01",
        slot,
        digest: Sha256.of("model"),
        path: "models/x",
        theta: {},
        metrics: { accuracy: 0.5 },
        datasets: [],
        receipts: [],
        synthetic: true,
      }
      const warrant = { who: "ann", reason: "new", intent: Sha256.of("i"), run: "r", task: "t", key: "k" }
      yield* Context.get(place.services, ModelRegistry).register(model, "candidate", warrant)
      const get = (path: string) => place.call(`/api/v1${path}`, { token })
      const { models } = (yield* get("/models")).body
      assert.lengthOf(models, 1)
      assert.deepInclude(models[0], { version: model.version, status: "candidate" })
      assert.deepStrictEqual((yield* get("/models?slot=EURUSD-GBPUSD/1h&status=candidate")).body.models, models)
      assert.deepStrictEqual((yield* get("/models?status=deployed")).body.models, [])
      assert.strictEqual((yield* get("/models?status=odd")).status, 400)
      const detail = (yield* get(`/models/${model.version}`)).body
      assert.deepStrictEqual(detail.row, models[0])
      assert.lengthOf(detail.events, 1)
      assert.strictEqual((yield* get("/models/unknown")).body.code, "VersionUnknown")
      assert.deepStrictEqual((yield* get("/aliases/champion?slot=EURUSD-GBPUSD/1h")).body, { moves: [] })
    }),
  )

  it.live("of tokens is never their text; they are created and revoked at once, and their first use is recorded", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const admin = yield* place.token("ada", "admin")
      const created = yield* place.post("/api/v1/tokens", admin, { name: "eve", role: "viewer", expires: "90d" })
      assert.strictEqual(created.status, 201, created.text)
      const { text, token } = created.body
      assert.deepInclude(token, { name: "eve", role: "viewer", createdBy: "ada", firstUsed: null })
      const many = yield* Effect.forEach([1, 2, 3, 4], () => place.call("/api/v1/whoami", { token: text }), {
        concurrency: "unbounded",
      })
      for (const { body } of many) assert.deepStrictEqual(body, { authid: "eve", authtype: "api_key", role: "viewer" })
      const listed = yield* place.call("/api/v1/tokens", { token: admin })
      assert.notInclude(listed.text, text.slice(8))
      const revoked = yield* place.post(`/api/v1/tokens/${token.id}/revoke`, admin, {})
      assert.deepInclude(revoked.body, { revokedBy: "ada" })
      assert.strictEqual((yield* place.call("/api/v1/whoami", { token: text })).status, 401)
      const { entries } = yield* Context.get(place.services, Ledger).read("system")
      assert.deepStrictEqual(
        entries
          .filter(({ data }) => (data as { token?: string }).token === token.id)
          .map(({ authid, type }) => [type, authid]),
        [
          ["dev.dandori.token.created.v1", "ada"],
          ["dev.dandori.token.used.v1", "eve"],
          ["dev.dandori.token.revoked.v1", "ada"],
        ],
      )
    }),
  )
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as WebhookSignature from "../../../src/domain/webhook-signature.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import { StartKeys } from "../../../src/services/start-keys.ts"
import * as CanonicalJson from "../../../src/domain/canonical-json.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import * as ApiPlace from "./api-place.ts"

type Place = Effect.Success<ReturnType<typeof ApiPlace.make>>

const createdOf = ({ services }: Place, run: string) =>
  Effect.map(Context.get(services, Ledger).read(StreamName.ofRun(run)), ({ entries }) => entries[0])

const runsOf = ({ services }: Place) => Context.get(services, Ledger).runs

const path = "/api/v1/pipelines/given/runs"

describe("a run that is asked for", () => {
  it.live("is one of a deployed pipeline, with params that fit, in the name of who asked", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const operator = yield* place.token("olga", "operator")
      const begun = yield* place.post(path, operator, { params: { city: "Kyoto" } })
      assert.strictEqual(begun.status, 201, begun.text)
      assert.isTrue(begun.body.isNew)
      const created = yield* createdOf(place, begun.body.run)
      assert.deepInclude(created, { authid: "olga", authtype: "api_key" })
      assert.deepInclude(created.data as object, { pipeline: "given", params: { city: "Kyoto", count: 1 } })

      const unknown = yield* place.post("/api/v1/pipelines/nothing/runs", operator, {})
      assert.deepInclude(unknown.body, { status: 404, code: "PipelineNotDeployed" })
      const wrong = yield* place.post(path, operator, { params: { count: "many", town: 1 } })
      assert.deepInclude(wrong.body, { status: 422, code: "ParamsRefused" })
      assert.lengthOf(wrong.body.problems, 3)
      const definition = yield* place.post(path, operator, { params: {}, definition: { tasks: {} } })
      assert.strictEqual(definition.status, 400)
      const deep = JSON.parse(`${"[".repeat(100)}${"]".repeat(100)}`)
      assert.strictEqual((yield* place.post(path, operator, { params: { city: deep } })).status, 400)
      const deeper = yield* place.call(path, {
        method: "POST",
        token: operator,
        headers: { "content-type": "application/json" },
        body: `{"params":{"city":${"[".repeat(200_000)}${"]".repeat(200_000)}}}`,
      })
      assert.strictEqual(deeper.status, 400)
      assert.lengthOf(yield* runsOf(place), 1)
    }),
  )

  it.live("is the same under the same key, however often and at once it is asked for", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const operator = yield* place.token("olga", "operator")
      const other = yield* place.token("otto", "operator")
      const ask = (city: string, token = operator) =>
        place.post(path, token, { params: { city } }, { "idempotency-key": "monday-1" })
      const many = yield* Effect.forEach([1, 2, 3, 4, 5], () => ask("Kyoto"), { concurrency: "unbounded" })
      const [{ body }] = many
      assert.deepStrictEqual(
        many.map((answer) => answer.body.run),
        many.map(() => body.run),
      )
      assert.deepStrictEqual(many.map(({ status }) => status).toSorted(), [200, 200, 200, 200, 201])
      const otherwise = yield* ask("Osaka")
      assert.deepInclude(otherwise.body, { status: 422, code: "KeyReused" })
      const theirs = yield* ask("Kyoto", other)
      assert.strictEqual(theirs.status, 201)
      assert.notStrictEqual(theirs.body.run, body.run)
      assert.lengthOf(yield* runsOf(place), 2)
    }),
  )

  it.live("may be asked for otherwise under a key whose request was refused", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const operator = yield* place.token("olga", "operator")
      const ask = (params: object) => place.post(path, operator, { params }, { "idempotency-key": "k" })
      assert.strictEqual((yield* ask({})).status, 422)
      const begun = yield* ask({ city: "Kyoto" })
      assert.strictEqual(begun.status, 201)
      // Another daemon that knows less refuses it: the run stays that of the key.
      const keys = Context.get(place.services, StartKeys)
      const fingerprint = Sha256.of(CanonicalJson.encode({ params: { city: "Kyoto" } }))
      yield* keys.release({ scope: "api olga given", key: "k", fingerprint }, begun.body.run)
      assert.deepStrictEqual((yield* ask({ city: "Kyoto" })).body, { run: begun.body.run, isNew: false })
    }),
  )

  it.live("is the one whose id was reserved before a crash", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const operator = yield* place.token("olga", "operator")
      const params = { city: "Kyoto" }
      const run = Bun.randomUUIDv7()
      const fingerprint = Sha256.of(CanonicalJson.encode({ params }))
      yield* Context.get(place.services, StartKeys).reserve({ scope: "api olga given", key: "k", fingerprint }, run)
      const begun = yield* place.post(path, operator, { params }, { "idempotency-key": "k" })
      assert.deepStrictEqual(begun.body, { run, isNew: true })
      assert.strictEqual((yield* createdOf(place, run)).authid, "olga")
    }),
  )
})

describe("a webhook", () => {
  const hook = "/api/v1/hooks/given"
  const now = () => String(Math.floor(Date.now() / 1_000))
  const headersOf = (id: string, timestamp: string, body: string, secret = ApiPlace.hookSecret) => ({
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,AAAA ${WebhookSignature.sign(secret, id, timestamp, body)} v1a,BBBB`,
  })
  const send = (place: Place, body: string, headers: Readonly<Record<string, string>>, to = hook) =>
    place.call(to, { method: "POST", headers, body })

  it.live("starts a run where its signature fits, and the same one when it is sent again", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const body = JSON.stringify({ type: "data.arrived", params: { city: "Kyoto" } })
      const headers = headersOf("msg_1", now(), body)
      const begun = yield* send(place, body, headers)
      assert.strictEqual(begun.status, 201, begun.text)
      const created = yield* createdOf(place, begun.body.run)
      assert.deepInclude(created, { authid: "hook given", authtype: "service_account" })
      assert.deepInclude(created.data as object, { params: { city: "Kyoto", count: 1 } })
      const again = yield* send(place, body, headersOf("msg_1", now(), body))
      assert.deepStrictEqual(again.body, { run: begun.body.run, isNew: false })
      assert.lengthOf(yield* runsOf(place), 1)
    }),
  )

  it.live("starts nothing where it is altered, old, unsigned, unknown or no JSON", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const body = JSON.stringify({ params: { city: "Kyoto" } })
      const at = now()
      const old = String(Number(at) - 301)
      const refused = [
        yield* send(place, body.replace("Kyoto", "Osaka"), headersOf("m", at, body)),
        yield* send(place, body, headersOf("m", old, body)),
        yield* send(place, body, { ...headersOf("m", old, body), "webhook-timestamp": at }),
        yield* send(place, body, { ...headersOf("m", at, body), "webhook-id": "n" }),
        yield* send(place, body, headersOf("m", at, body, "another secret")),
        yield* send(place, body, { "content-type": "application/json" }),
        yield* send(place, body, headersOf("m", at, body), "/api/v1/hooks/good"),
      ]
      // Nor is it told which of these it was: who asks may be looking for hooks.
      const detail = "No webhook with this signature starts this pipeline"
      for (const { body: problem, status } of refused) {
        assert.strictEqual(status, 401)
        assert.deepInclude(problem, { code: "SignatureRefused", detail })
      }
      const noJson = yield* send(place, "{", headersOf("m", at, "{"))
      assert.strictEqual(noJson.status, 400)
      assert.lengthOf(yield* runsOf(place), 0)
      // A secret that was changed counts at once.
      yield* Effect.promise(() => Fs.writeFile(join(place.project, "hook.secret"), "the new secret"))
      assert.strictEqual((yield* send(place, body, headersOf("m", at, body))).status, 401)
      assert.strictEqual((yield* send(place, body, headersOf("m", at, body, "the new secret"))).status, 201)
    }),
  )

  it.live("tells a stranger not whether there is a hook, and the operator why it started nothing", () => {
    const said: Array<string> = []
    const listening = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
    return Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const headers = headersOf("m", now(), "{}", "another secret")
      const unknown = yield* send(place, "{}", headers, "/api/v1/hooks/good")
      const noSecret = yield* send(place, "{}", headers, "/api/v1/hooks/shell")
      const wrong = yield* send(place, "{}", headers)
      for (const answer of [unknown, noSecret, wrong]) {
        assert.deepStrictEqual([answer.status, answer.body], [401, unknown.body])
      }
      const [ofUnknown, ofShell, ofGiven, ...more] = said
      assert.deepStrictEqual(more, [])
      assert.match(ofUnknown, /good.*daemon\.hooks/)
      assert.match(ofShell, /shell.*no\.secret/)
      assert.match(ofGiven, /given.*webhook-signature does not fit/)
    }).pipe(Effect.provide(listening))
  })

  it.live("that nobody knows fills no log, whatever names it has", () => {
    const said: Array<string> = []
    const listening = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
    return Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      for (let n = 0; n < 10; n++) yield* send(place, "{}", {}, `/api/v1/hooks/none-${n}`)
      for (let n = 0; n < 10; n++) yield* send(place, "{}", {})
      assert.lengthOf(said, 2)
      assert.match(said[0], /none-0.*daemon\.hooks/)
      assert.match(said[1], /given.*webhook-id/)
    }).pipe(Effect.provide(listening))
  })

  it("is signed as the examples of Standard Webhooks are", () => {
    // standardwebhooks.com, reference libraries' test vector.
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    const body = '{"test": 2432232314}'
    const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    const signed = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330", signature }
    assert.strictEqual(WebhookSignature.sign(secret, signed.id, signed.timestamp, body), signature)
    assert.isUndefined(WebhookSignature.fault(secret, signed, body, 1_614_265_330_000))
    assert.match(WebhookSignature.fault(secret, signed, body, 1_614_265_631_000) ?? "", /300 s/)
  })
})

import { fileURLToPath } from "node:url"
import { assert, describe, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Push from "../../../../tasks/evacuate/push/run.ts"
import * as Place from "../../../support/evacuation-place.ts"
import * as HttpProxy from "../../../support/http-proxy.ts"
import { open } from "../../../support/plain-reading.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { env } from "../../../support/servers/s3.ts"
import { pattern } from "../destination/destination-contract.ts"

const fixture = fileURLToPath(new URL("push.fixture.ts", import.meta.url))
const partBytes = 5 << 20
const large = pattern(8 * partBytes + 77)
const parts = 9

describe("an evacuation that is killed", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "in the middle of a large object goes on with it, and sends nothing twice that the bucket has",
      () =>
        Effect.gen(function* () {
          const s3 = yield* S3Place.S3Place
          const bucket = yield* s3.bucket()
          const taken: Array<string> = []
          const dead = Deferred.makeUnsafe<void>()
          let child: Bun.Subprocess | undefined
          let isKilled = false
          let isAgain = false
          const underWay = new Set<Promise<unknown>>()
          const { url } = yield* HttpProxy.start(s3.endpoint, async (request, forward) => {
            if (isKilled && !isAgain) return undefined
            const asked = forward()
            underWay.add(asked)
            const answer = await asked
            const isObject = request.url.startsWith(`/${bucket}/snapshots/`)
            if (request.method !== "PUT" || !isObject || answer.status !== 200) return answer
            taken.push(request.url.replace(/uploadId=[^&]*/, ""))
            if (isAgain || taken.filter((each) => each.includes("partNumber")).length < 4) return answer
            isKilled = true
            child?.kill("SIGKILL")
            Effect.runSync(Deferred.succeed(dead, undefined))
            return undefined
          })
          const options: Place.Options = {
            storage: { s3: { ...s3.section, endpoint: url } },
            evacuation: { parallel: 4, destinations: [{ name: "bucket", location: `s3://${bucket}` }] },
          }
          const place = yield* Place.make(options)
          const small = Array.from({ length: 20 }, (_, index) => ({ path: `models/${index}`, bytes: `small ${index}` }))
          yield* place.plant([...small.slice(0, 10), { path: "models/large", bytes: large }, ...small.slice(10)])
          yield* place.call()
          yield* Effect.promise(async () => {
            child = Bun.spawn([process.execPath, fixture, place.root, JSON.stringify(options)], {
              env: { ...process.env, ...env },
              stdout: "ignore",
              stderr: "ignore",
            })
            await child.exited
          })
          yield* Deferred.await(dead)
          // What the bucket has not answered yet it may still take.
          yield* Effect.promise(() => Promise.allSettled(underWay))
          assert.strictEqual(child?.signalCode, "SIGKILL")

          isAgain = true
          const pushed = yield* Push.run({ incident: Place.incident }, open).pipe(Effect.provide(yield* place.call()))
          assert.deepInclude(pushed, { rung: "bucket", objects: 21, complete: true, refusals: [] })
          assert.isBelow(pushed.sent, large.length)
          assert.deepStrictEqual(
            taken.filter((each, index) => taken.indexOf(each) !== index),
            [],
          )
          assert.strictEqual(taken.filter((each) => each.includes("partNumber")).length, parts)
          const Key = `${Place.snapshot}/models/large`
          const { Body } = yield* Effect.promise(() => s3.sdk.getObject({ Bucket: bucket, Key }))
          const back = yield* Effect.promise(() => Body?.transformToByteArray() ?? Promise.resolve(new Uint8Array()))
          assert.strictEqual(Sha256.of(back), Sha256.of(large))
          const { Uploads = [] } = yield* Effect.promise(() => s3.sdk.listMultipartUploads({ Bucket: bucket }))
          assert.deepStrictEqual(Uploads, [])
        }),
      60_000,
    )
  })
})

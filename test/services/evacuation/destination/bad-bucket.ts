import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Rung } from "../../../../src/domain/config/evacuation.ts"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import { UsualPatience } from "../../../../src/services/evacuation/destination/s3-requests.ts"
import * as Push from "../../../../tasks/evacuate/push/run.ts"
import * as Verify from "../../../../tasks/evacuate/verify/run.ts"
import * as Place from "../../../support/evacuation-place.ts"
import * as HttpProxy from "../../../support/http-proxy.ts"
import { open } from "../../../support/plain-reading.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { pattern } from "./destination-contract.ts"

export const input = { incident: Place.incident }
export const large = pattern(11 << 20)
export const files = [
  ...["a", "b", "c"].map((name) => ({ path: `models/${name}`, bytes: name.repeat(1000) })),
  { path: "models/large", bytes: large },
  { path: "logs/x", bytes: "log", to: "evidence", value: 40 },
] as const

export type Handler = HttpProxy.Handler
type Request = Parameters<Handler>[0]

export const isPut = ({ method, url }: Request, part = "") => method === "PUT" && url.includes(part)
export const quick = Layer.succeed(UsualPatience, { firstMillis: 1, times: 2 })

/** An evacuation to a bucket behind a proxy that does so with each request; the sealed folder is the last rung. */
export const evacuation = (
  handle: Handler,
  options: { readonly lock?: Rung["lock"]; readonly bucketLock?: boolean } = {},
) =>
  Effect.gen(function* () {
    const s3 = yield* S3Place.S3Place
    const bucket = yield* s3.bucket({ lock: options.bucketLock === true })
    const requests: Array<Request> = []
    const { url } = yield* HttpProxy.start(s3.endpoint, (request, forward) => {
      requests.push(request)
      return handle(request, forward)
    })
    const location = `s3://${bucket}/pre`
    const place = yield* Place.make({
      storage: { s3: { ...s3.section, endpoint: url } },
      evacuation: {
        parallel: 2,
        destinations: [{ name: "bucket", location, ...(options.lock === undefined ? {} : { lock: options.lock }) }],
      },
    })
    yield* place.plant(files)
    const push = Effect.gen(function* () {
      return yield* Push.run(input, open).pipe(Effect.provide(Layer.merge(yield* place.call(), quick)))
    })
    const put = (key: string, Body: string) => s3.sdk.putObject({ Bucket: bucket, Key: `pre/${key}`, Body })
    const verify = Effect.gen(function* () {
      yield* Place.noteManifests(place.folder, { rung: "bucket", location, put })
      return yield* Verify.run(input).pipe(Effect.provide(Layer.merge(yield* place.call(), quick)))
    })
    return { ...place, bucket, s3, push, verify, requests }
  })

export const altered = (answer: HttpProxy.Answer, headers: Record<string, string>): HttpProxy.Answer => ({
  ...answer,
  headers: { ...answer.headers, ...headers },
})
export const other = Buffer.from(Sha256.of("other bytes"), "hex").toString("base64")
export const storedNothing = ({ headers }: Request): HttpProxy.Answer => ({
  status: 200,
  headers: { etag: '"0"', "x-amz-checksum-sha256": String(headers["x-amz-checksum-sha256"]) },
  body: Buffer.alloc(0),
})

import * as Sdk from "@aws-sdk/client-s3"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { S3Section } from "../../src/domain/config/storage.ts"
import * as Configured from "../../src/services/object-store-configured.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import * as HttpProxy from "./http-proxy.ts"
import { env } from "./servers/s3.ts"
import { s3Endpoint } from "./servers/scoped.ts"

/** An S3 server for a test, and a client of it that knows nothing of ours. */
export class S3Place extends Context.Service<
  S3Place,
  {
    readonly endpoint: string
    readonly section: S3Section
    readonly sdk: Sdk.S3
    /** A new bucket; with Object Lock where asked for. */
    readonly bucket: (options?: { readonly lock?: boolean }) => Effect.Effect<string>
  }
>()("test/S3Place") {}

/** Of a server that runs. */
export const at = (endpoint: string): S3Place["Service"] => {
  for (const [name, value] of Object.entries(env)) process.env[name] = value
  const sdk = new Sdk.S3({ endpoint, region: env.AWS_REGION, forcePathStyle: true })
  return {
    endpoint,
    section: { endpoint, region: env.AWS_REGION, path_style: true, part_size: "5MiB", request_timeout: "20s" },
    sdk,
    bucket: ({ lock = false } = {}) =>
      Effect.promise(async () => {
        const Bucket = `test-${crypto.randomUUID()}`
        await sdk.createBucket({ Bucket, ObjectLockEnabledForBucket: lock })
        return Bucket
      }),
  }
}

/** One server for all tests of a layer. */
export const layer = Layer.effect(S3Place, Effect.map(s3Endpoint, at))

/** The store at a location by a configuration. */
export const opened = (section: S3Section, location: string) =>
  Effect.gen(function* () {
    const stores = Context.get(yield* Layer.build(Layer.fresh(Configured.layer({ s3: section }))), ObjectStore)
    return yield* stores.open(location)
  })

/** A store in a new bucket, with a proxy between that does so with each request after the check. */
export const through = (handle: HttpProxy.Handler, options: { readonly lock?: boolean } = {}) =>
  Effect.gen(function* () {
    const place = yield* S3Place
    const bucket = yield* place.bucket(options)
    const requests: Array<string> = []
    let isOn = false
    const { url } = yield* HttpProxy.start(place.endpoint, (request, forward) => {
      if (!isOn) return forward()
      const { method } = request
      requests.push(`${method} ${request.url.replace(/^\/[^/?]*/, "").replace(/uploadId=[^&]*/, "uploadId=…")}`)
      return handle(request, forward)
    })
    const store = yield* opened({ ...place.section, endpoint: url }, `s3://${bucket}`)
    yield* store.put("checked", new TextEncoder().encode("now the server is checked"))
    isOn = true
    const uploads = Effect.promise(() => place.sdk.listMultipartUploads({ Bucket: bucket })).pipe(
      Effect.map(({ Uploads = [] }) => Uploads.length),
    )
    return { store, bucket, requests, uploads, place }
  })

/** An answer of a server that refuses. */
export const failing = (
  status: number,
  code: string,
  message = "no",
  headers: Record<string, string> = {},
): HttpProxy.Answer => ({
  status,
  headers: { "content-type": "application/xml", ...headers },
  body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`),
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Push from "../../../../tasks/evacuate/push/run.ts"
import * as Place from "../../../support/evacuation-place.ts"
import * as HttpProxy from "../../../support/http-proxy.ts"
import { open } from "../../../support/plain-reading.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { awsEndpoint } from "../../../support/servers/scoped.ts"
import * as Workplace from "../../../tasks/workplace.ts"
import { altered, evacuation, files, input, isPut, large, other, quick, storedNothing } from "./bad-bucket.ts"

describe("an evacuation to a bucket that in the middle", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("denies some keys takes the others, and is never complete", () =>
      Effect.gen(function* () {
        const { lines, push, verify } = yield* evacuation(async (request, forward) =>
          isPut(request, "models/b") ? S3Place.failing(403, "AccessDenied") : forward(),
        )
        assert.deepInclude(yield* push, { rung: "bucket", objects: 4, notTaken: 1, complete: false })
        const [line] = yield* lines("not-taken.ndjson")
        assert.match(line.reason, /access to the bucket .* is denied/)
        const said = yield* verify
        assert.isFalse(said.complete)
        assert.isFalse(said.latest.moved)
        assert.isTrue(said.problems.some((problem) => /models\/b was not taken: .* denied/.test(problem)))
      }),
    )

    it.effect("begins to answer with another checksum is left for the next rung, which gets everything", () =>
      Effect.gen(function* () {
        for (const part of ["models/c", "partNumber=2"]) {
          const { push } = yield* evacuation(async (request, forward) => {
            const answer = await forward()
            return isPut(request, part) ? altered(answer, { "x-amz-checksum-sha256": other }) : answer
          })
          const pushed = yield* push
          assert.deepInclude(pushed, { rung: "sealed", objects: files.length, complete: true })
          assert.deepInclude(pushed.refusals[0], { rung: "bucket", refused: true })
        }
      }),
    )

    it.effect("answers the end of an upload in parts with another checksum is left for the next rung", () =>
      Effect.gen(function* () {
        const { push } = yield* evacuation(async (request, forward) => {
          const answer = await forward()
          if (request.method !== "POST" || !request.url.includes("uploadId")) return answer
          const body = answer.body.toString().replace(/<ChecksumSHA256>[^<]*/, `<ChecksumSHA256>${other}-3`)
          return { ...answer, headers: { ...answer.headers, "content-length": undefined }, body: Buffer.from(body) }
        })
        const pushed = yield* push
        assert.deepInclude(pushed, { rung: "sealed", objects: files.length })
        assert.match(pushed.refusals[0]?.reason ?? "", /it answers with the SHA-256/)
      }),
    )

    it.effect("begins to store nothing is found out by verifying, with the list, and never moves latest", () =>
      Effect.gen(function* () {
        let isBroken = true
        const { push, verify } = yield* evacuation(async (request, forward) =>
          isBroken && isPut(request, "models/a") ? storedNothing(request) : forward(),
        )
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length })
        const said = yield* verify
        assert.deepInclude(said, {
          failed: 1,
          complete: false,
          problems: [`${Place.snapshot}/models/a: it is not there`],
        })
        assert.isFalse(said.latest.moved)
        isBroken = false
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length, sent: 1000, complete: true })
        assert.deepInclude(yield* verify, { failed: 0, complete: true, latest: { moved: true } })
      }),
    )

    it.effect("loses answers has everything once", () =>
      Effect.gen(function* () {
        const lost = new Set<string>()
        const { bucket, push, s3, verify } = yield* evacuation(async (request, forward) => {
          const answer = await forward()
          const name = `${request.method} ${request.url}`
          if (request.method === "GET" || request.method === "HEAD" || lost.has(name)) return answer
          lost.add(name)
          return request.method === "POST" && request.url.includes("uploadId=") ? { ...answer, cutAt: 10 } : undefined
        })
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length, complete: true })
        assert.deepInclude(yield* verify, { failed: 0, complete: true })
        const Key = `pre/${Place.snapshot}/models/large`
        const { Body } = yield* Effect.promise(() => s3.sdk.getObject({ Bucket: bucket, Key }))
        const back = yield* Effect.promise(() => Body?.transformToByteArray() ?? Promise.resolve(new Uint8Array()))
        assert.strictEqual(Sha256.of(back), Sha256.of(large))
      }),
    )

    it.effect("stores an upload whose end nobody hears of, however often it is asked for, is sent no part again", () =>
      Effect.gen(function* () {
        const parts: Array<string> = []
        let ends = 0
        const { push, verify } = yield* evacuation(async (request, forward) => {
          const { method, url } = request
          if (method === "PUT" && url.includes("partNumber=")) parts.push(/partNumber=\d+/.exec(url)?.[0] ?? "")
          if (method !== "POST" || !url.includes("uploadId=")) return forward()
          // The first and its two repetitions: it is done, and by then the object has failed once.
          if (++ends > 3) return forward()
          const answer = await forward()
          return { ...answer, cutAt: 10 }
        })
        assert.deepInclude(yield* push, { rung: "bucket", objects: files.length, complete: true })
        assert.deepInclude(yield* verify, { failed: 0, complete: true })
        assert.isAtLeast(ends, 3)
        assert.isAbove(parts.length, 1)
        assert.strictEqual(new Set(parts).size, parts.length, parts.join(" "))
      }),
    )

    it.effect("lets credentials expire in the middle is given those that the profile has then", () =>
      Effect.gen(function* () {
        // A server that takes any keys.
        const s3 = S3Place.at(yield* awsEndpoint)
        const bucket = yield* s3.bucket()
        const root = yield* Workplace.project
        const credentials = join(root, "credentials")
        const write = async (id: string) => {
          const keys = `aws_access_key_id=${id}\naws_secret_access_key=testing`
          await Fs.writeFile(`${credentials}.new`, `[other-account]\n${keys}\n`)
          await Fs.rename(`${credentials}.new`, credentials)
        }
        yield* Effect.promise(() => write("first"))
        yield* Effect.acquireRelease(
          Effect.sync(() => void (process.env.AWS_SHARED_CREDENTIALS_FILE = credentials)),
          () => Effect.sync(() => void delete process.env.AWS_SHARED_CREDENTIALS_FILE),
        )
        const ids: Array<string> = []
        const { url } = yield* HttpProxy.start(s3.endpoint, async (request, forward) => {
          const id = /Credential=(\w+)/.exec(String(request.headers.authorization))?.[1] ?? ""
          ids.push(id)
          if (id === "second" || ids.length <= 12) return forward()
          await write("second")
          return S3Place.failing(400, "ExpiredToken")
        })
        const s3Section = { ...s3.section, endpoint: url }
        const rung = { name: "other", location: `s3://${bucket}`, s3: s3Section, profile: "other-account" }
        const place = yield* Place.make({ evacuation: { parallel: 2, destinations: [rung] } })
        yield* place.plant(files)
        const pushed = yield* Push.run(input, open).pipe(Effect.provide(Layer.merge(yield* place.call(), quick)))
        assert.deepStrictEqual(pushed.refusals, [])
        assert.deepInclude(pushed, { rung: "other", objects: files.length, complete: true })
        assert.deepStrictEqual([...new Set(ids.slice(0, 12))], ["first"])
        assert.include(ids, "second")
      }),
    )
  })
})

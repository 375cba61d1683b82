import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as S3Place from "../support/s3-place.ts"
import { env } from "../support/servers/s3.ts"

const fixture = fileURLToPath(new URL("s3-upload-memory.fixture.ts", import.meta.url))
const fileBytes = 2 ** 30

/** A file of 1 GiB that takes no room on the disk. */
const sparse = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await Fs.mkdtemp(join(tmpdir(), "dandori-sparse-"))
    await Fs.writeFile(join(folder, "large"), "")
    await Fs.truncate(join(folder, "large"), fileBytes)
    return folder
  }),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
)

describe("storing a file of 1 GiB in a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "takes memory for the parts that are on their way, not for the file",
      () =>
        Effect.gen(function* () {
          const place = yield* S3Place.S3Place
          const bucket = yield* place.bucket()
          const path = join(yield* sparse, "large")
          const [part, parallel] = [16, 4]
          const argv = [process.execPath, fixture, place.endpoint, bucket, path, `${part}MiB`, String(parallel)]
          const said = yield* Effect.promise(async () => {
            const child = Bun.spawn(argv, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "inherit" })
            return (await child.exited) === 0 ? new Response(child.stdout).text() : "failed"
          })
          const { ContentLength } = yield* Effect.promise(() => place.sdk.headObject({ Bucket: bucket, Key: "large" }))
          assert.strictEqual(ContentLength, fileBytes)
          // The runtime, Effect and the SDK take less than 192 MiB (169 with a single part of 5 MiB on its way). A part
          // takes its buffer and what the socket holds of it: 2.8 times its bytes from 32 to 256 MiB on their way.
          assert.isBelow(Number(said), 192 + 4 * part * parallel)
        }),
      600_000,
    )
  })
})

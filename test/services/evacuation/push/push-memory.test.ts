import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Place from "../../../support/evacuation-place.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { env } from "../../../support/servers/s3.ts"

const fixture = fileURLToPath(new URL("push.fixture.ts", import.meta.url))
const [files, fileBytes, small] = [16, 40 << 20, 500]

describe("pushing 16 large files at a time to a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "takes less than 300 MiB of memory",
      () =>
        Effect.gen(function* () {
          const s3 = yield* S3Place.S3Place
          const bucket = yield* s3.bucket()
          const { part_size: _, ...section } = s3.section
          const options: Place.Options = {
            storage: { s3: section },
            evacuation: { parallel: 16, destinations: [{ name: "bucket", location: `s3://${bucket}` }] },
          }
          const place = yield* Place.make(options)
          yield* place.plant([
            ...Array.from({ length: small }, (_, index) => ({ path: `models/${index}`, bytes: "x".repeat(10_240) })),
            ...Array.from({ length: files }, (_, index) => ({ path: `large/${index}`, bytes: "" })),
          ])
          // They take no room on this disk.
          yield* Effect.promise(async () => {
            for (let index = 0; index < files; index++) {
              await Fs.truncate(join(place.root, `large/${index}`), fileBytes)
            }
          })
          yield* place.call()
          const said = yield* Effect.promise(async () => {
            const argv = [process.execPath, fixture, place.root, JSON.stringify(options)]
            const child = Bun.spawn(argv, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "inherit" })
            const text = await new Response(child.stdout).text()
            return (await child.exited) === 0 ? JSON.parse(text) : {}
          })
          assert.deepInclude(said, { rung: "bucket", objects: files + small, complete: true, refusals: [] })
          assert.strictEqual(said.bytes, files * fileBytes + small * 10_240)
          assert.isBelow(said.peak, 300)
        }),
      600_000,
    )
  })
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import snapshot from "../../tasks/snapshot/index.ts"
import * as HttpProxy from "../support/http-proxy.ts"
import * as S3Place from "../support/s3-place.ts"
import * as Workplace from "./workplace.ts"

describe("snapshot to a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "sends files in their storage class and the manifest in the standard one, and proves them by restoring",
      () =>
        Effect.gen(function* () {
          const place = yield* S3Place.S3Place
          const bucket = yield* place.bucket()
          const classes = new Set<string>()
          const { url } = yield* HttpProxy.start(place.endpoint, ({ headers, method, url: path }, forward) => {
            if (method === "PUT") classes.add(`${path.split(/[/?]/)[4]} ${String(headers["x-amz-storage-class"])}`)
            return forward()
          })
          const root = yield* Workplace.project
          yield* Effect.promise(async () => {
            await Fs.mkdir(join(root, "data"))
            for (let index = 0; index < 20; index++) await Fs.writeFile(join(root, `data/${index}`), `file ${index}`)
          })
          const storage = {
            s3: { ...place.section, endpoint: url },
            offsite: {
              bucket: "${env:S3_BUCKET}",
              worm_location: "s3://other/worm/",
              storage_class: "GLACIER_IR",
              rds_instance: "i",
              rds_snapshot_prefix: "p",
              ebs_tag: "t",
            },
          } as const
          const destination = `s3://${bucket}/backups`
          const targets = [{ kind: "tree" as const, path: "data" }]
          const take = snapshot
            .run({ targets, verify: "full-restore", destination })
            .pipe(Effect.provide(Workplace.attempt(root, { storage })))
          const output = yield* take
          assert.deepInclude(output.verification, { mode: "full-restore", objects: 20, of: 20 })
          assert.strictEqual(output.location, destination)
          assert.deepStrictEqual([...classes].toSorted().slice(-2), ["manifest.json undefined", "objects GLACIER_IR"])
          assert.deepStrictEqual((yield* take).digest, output.digest)
        }),
    )
  })
})

import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it as plain, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Directory from "../../../../src/services/evacuation/destination/destination-directory.ts"
import * as S3 from "../../../../src/services/evacuation/destination/destination-s3.ts"
import * as S3Place from "../../../support/s3-place.ts"
import { awsEndpoint } from "../../../support/servers/scoped.ts"
import { promises } from "./destination-contract.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-destination-"))),
  (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
)

let calls = 0
const probe = () => ({ key: `probe/i-${calls++}`, bytes: new TextEncoder().encode("a try\n") })

describe("a folder as destination", () => {
  for (const [name, check] of promises) {
    plain.live(name, () =>
      Effect.gen(function* () {
        const root = join(yield* folder, "deep", "in it")
        yield* check(Effect.suspend(() => Directory.open({ name: "disk", root, away: true }, probe())))
      }),
    )
  }
})

const bucketed = Effect.gen(function* () {
  const place = yield* S3Place.S3Place
  const bucket = yield* place.bucket()
  const { section } = place
  return Effect.suspend(() =>
    S3.open({ name: "bucket", bucket, prefix: "below/here", away: true, section }, { probe: probe() }, [
      "snapshots/s/",
      "incidents/i/",
    ]),
  )
})

describe("a bucket as destination", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    for (const [name, check] of promises) it.effect(name, () => Effect.flatMap(bucketed, check))
  })
})

describe("a bucket of a server that takes any digest as destination", () => {
  const moto = Layer.effect(S3Place.S3Place, Effect.map(awsEndpoint, S3Place.at))
  layer(moto, { excludeTestServices: true })((it) => {
    for (const [name, check] of promises) it.effect(name, () => Effect.flatMap(bucketed, check))
  })
})

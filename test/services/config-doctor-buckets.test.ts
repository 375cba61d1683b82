import { fileURLToPath } from "node:url"
import { cpSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigDoctor from "../../src/services/config-doctor.ts"
import { S3Place, layer as place } from "../support/s3-place.ts"

const shipped = fileURLToPath(new URL("../../configs", import.meta.url))

/** What is found at buckets of a server, in a project whose storage leaves the machine. */
const found = (endpoint: string, backups: string, records: string) =>
  Effect.gen(function* () {
    const project = mkdtempSync(join(tmpdir(), "dandori-doctor-"))
    cpSync(shipped, join(project, "configs"), { recursive: true })
    const offsite = [
      `s3: { endpoint: ${endpoint}, region: us-east-1, path_style: true }`,
      "offsite:",
      "  bucket: ${env:S3_BUCKET}",
      `  worm_location: ${records}`,
      "  storage_class: STANDARD",
      "  rds_instance: none",
      "  rds_snapshot_prefix: none",
      "  ebs_tag: none",
    ]
    writeFileSync(join(project, "configs/envs/dev/storage.yaml"), `${offsite.join("\n")}\n`)
    const environment = { S3_BUCKET: backups }
    const findings = yield* ConfigDoctor.diagnose(project, "dev", { environment })
    const of = (key: string) => findings.find(({ what }) => what.startsWith(`${key}:`))
    return { findings, backups: of("offsite.bucket"), records: of("offsite.worm_location") }
  })

layer(place, { timeout: "2 minutes", excludeTestServices: true })("config doctor at S3", (it) => {
  it.effect("looks at versions and Object Lock, writes nothing, and says what it did not try", () =>
    Effect.gen(function* () {
      const { bucket, endpoint, sdk } = yield* S3Place
      const locked = yield* bucket({ lock: true })
      const { backups, records } = yield* found(endpoint, `s3://${locked}/backups`, `s3://${locked}/worm/`)
      assert.strictEqual(backups?.level, "ok")
      assert.match(backups?.what ?? "", /keeps versions; nothing was written, so whether .* was not tried$/)
      assert.strictEqual(records?.level, "ok")
      assert.match(records?.what ?? "", /has Object Lock; .* was not tried, since it writes: dandori worm probe$/)
      const versions = yield* Effect.promise(() => sdk.listObjectVersions({ Bucket: locked }))
      assert.deepStrictEqual([versions.Versions ?? [], versions.DeleteMarkers ?? []], [[], []])
    }),
  )

  it.effect("finds a bucket of records without a lock, and one of backups without versions", () =>
    Effect.gen(function* () {
      const { bucket, endpoint } = yield* S3Place
      const plain = yield* bucket()
      const { backups, records } = yield* found(endpoint, `s3://${plain}`, `s3://${plain}/worm`)
      assert.strictEqual(backups?.level, "warning")
      assert.strictEqual(records?.level, "error")
      assert.include(records?.what, "does not keep versions and has no Object Lock")
    }),
  )

  it.effect("tells a bucket that is not there and keys that are not known from a server that is away", () =>
    Effect.gen(function* () {
      const { bucket, endpoint } = yield* S3Place
      const locked = yield* bucket({ lock: true })
      const absent = yield* found(endpoint, "s3://no-such-bucket-here", `s3://${locked}`)
      assert.strictEqual(absent.backups?.level, "error")
      assert.include(absent.backups?.what, "there is no bucket no-such-bucket-here")
      const wrong = yield* found(endpoint, "not-a-location", `s3://${locked}`)
      assert.strictEqual(wrong.backups?.level, "error")
      assert.notInclude(JSON.stringify(wrong.findings), "not-a-location")
      const away = yield* found("http://127.0.0.1:1", `s3://${locked}`, `s3://${locked}`)
      assert.deepStrictEqual([away.backups?.level, away.records?.level], ["unavailable", "unavailable"])
      const secret = process.env.AWS_SECRET_ACCESS_KEY
      process.env.AWS_SECRET_ACCESS_KEY = "plantedsecretkey"
      const refused = yield* found(endpoint, `s3://${locked}`, `s3://${locked}`).pipe(
        Effect.ensuring(Effect.sync(() => void (process.env.AWS_SECRET_ACCESS_KEY = secret))),
      )
      assert.deepStrictEqual([refused.backups?.level, refused.records?.level], ["error", "error"])
      assert.notInclude(JSON.stringify(refused.findings), "plantedsecretkey")
    }),
  )
})

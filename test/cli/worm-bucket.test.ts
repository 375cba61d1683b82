import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as S3Place from "../support/s3-place.ts"
import { dandori, ndjson, project } from "./evidence-project.ts"

const pipeline = `version: 1
id: evidence
tasks:
  one: { uses: worm-append, with: { recordType: ops, payload: { number: 1 } } }
  two: { uses: worm-append, needs: [one], with: { recordType: ops, payload: { number: 2 } } }
  three: { uses: worm-append, needs: [two], with: { recordType: ops, payload: { number: 3 } } }
`

/** A project with a bucket of write-once records. */
const withBucket = (options: { readonly lock: boolean }) =>
  Effect.gen(function* () {
    const { bucket: newBucket, endpoint, sdk } = yield* S3Place.S3Place
    const bucket = yield* newBucket(options)
    const folder = yield* project
    yield* Effect.promise(async () => {
      const s3 = `s3: { endpoint: "${endpoint}", path_style: true }\n`
      const offsite = `offsite:
  bucket: \${env:S3_BUCKET}
  worm_location: s3://${bucket}/worm/
  storage_class: STANDARD
  rds_instance: i
  rds_snapshot_prefix: p
  ebs_tag: t
`
      await Fs.appendFile(join(folder, "configs/base/storage.yaml"), s3 + offsite)
      await Fs.writeFile(join(folder, "evidence.yaml"), pipeline)
    })
    const keys = Effect.promise(async () => {
      const { Contents = [] } = await sdk.listObjectsV2({ Bucket: bucket, Prefix: "worm/ops/" })
      return Contents.map(({ Key = "" }) => Key)
    })
    /** As somebody could who may lift locks: nothing is left of it. */
    const erase = (Key: string) =>
      Effect.promise(async () => {
        const { Versions = [] } = await sdk.listObjectVersions({ Bucket: bucket, Prefix: Key })
        for (const { VersionId = "" } of Versions) {
          await sdk.deleteObject({ Bucket: bucket, Key, VersionId, BypassGovernanceRetention: true })
        }
      })
    return { folder, bucket, sdk, keys, erase, location: `s3://${bucket}/worm` }
  })

describe("dandori worm with a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("verifies the records of a run in the folder and in the bucket", () =>
      Effect.gen(function* () {
        const { folder, location } = yield* withBucket({ lock: true })
        const ran = yield* dandori(folder, "run", "evidence.yaml")
        assert.strictEqual(ran.code, 0, ran.out + ran.err)
        const { code, out } = yield* dandori(folder, "worm", "verify")
        assert.strictEqual(code, 0, out)
        assert.match(out, /^intact .*\.dandori\/worm {2}3 records in 1 chain\n/)
        assert.include(out, `intact  ${location}  3 records in 1 chain`)
        assert.strictEqual(out.match(/its end is in the ledger/g)?.length, 2)
      }),
    )

    it.effect("names what was edited, removed, exchanged and cut off in a bucket, with the exit code of each", () =>
      Effect.gen(function* () {
        const { bucket, erase, folder, keys, location, sdk } = yield* withBucket({ lock: true })
        const ran = yield* dandori(folder, "run", "evidence.yaml")
        assert.strictEqual(ran.code, 0, ran.out + ran.err)
        const records = (yield* keys).filter((key) => !key.includes("/chain/"))
        const texts = yield* Effect.forEach(records, (Key) =>
          Effect.promise(
            async () => (await (await sdk.getObject({ Bucket: bucket, Key })).Body?.transformToString()) ?? "",
          ),
        )
        const place = texts.map((text) => (JSON.parse(text) as { readonly sequence: number }).sequence)
        const [one = "", two = "", three = ""] = [1, 2, 3].map((sequence) => records[place.indexOf(sequence)] ?? "")
        const put = (Key: string, Body: string) => Effect.promise(() => sdk.putObject({ Bucket: bucket, Key, Body }))
        const textOf = (key: string) => texts[records.indexOf(key)] ?? ""
        const verify = dandori(folder, "worm", "verify", `${location}/`, "-q")

        yield* put(two, "other bytes")
        const over = yield* verify
        assert.strictEqual(over.code, 10, over.out)
        assert.match(over.out, /^edited +record 2 +ops\/.*was put over it, its first version \S+ is still there$/m)

        yield* erase(two)
        const removed = yield* verify
        assert.strictEqual(removed.code, 13, removed.out)
        assert.match(removed.out, /^deleted +record 2 +ops\/.*the record is missing$/m)

        yield* erase(one)
        yield* put(one, textOf(two))
        yield* put(two, textOf(one))
        const exchanged = yield* verify
        assert.strictEqual(exchanged.code, 10, exchanged.out)
        assert.match(exchanged.out, /^reordered +record \d +ops\/.*its body belongs to/m)

        yield* erase(one)
        yield* erase(two)
        yield* put(one, textOf(one))
        yield* put(two, textOf(two))
        assert.strictEqual((yield* verify).code, 0)
        yield* erase(three)
        const last = yield* verify
        assert.strictEqual(last.code, 13, last.out)
        assert.match(last.out, /^deleted +record 3 /m)
        yield* erase("worm/ops/chain/000000000003.json")
        const cut = yield* verify
        assert.strictEqual(cut.code, 13, cut.out)
        assert.match(cut.out, /^truncated +record 3 .*the chain ends at 2$/m)
      }),
    )

    it.effect("refuses a bucket that would not keep records with exit 15, before a run and in it", () =>
      Effect.gen(function* () {
        const { folder, keys, location } = yield* withBucket({ lock: false })
        const probe = yield* dandori(folder, "worm", "probe")
        assert.strictEqual(probe.code, 15, probe.out)
        assert.strictEqual(probe.out, "")
        assert.include(probe.err, `${location} cannot be trusted with write-once records: it does not keep versions`)
        const ran = yield* dandori(folder, "run", "evidence.yaml")
        assert.strictEqual(ran.code, 1)
        assert.include(ran.out + ran.err, "cannot be trusted with write-once records")
        assert.deepStrictEqual(yield* keys, [])
        const verified = yield* dandori(folder, "worm", "verify")
        assert.strictEqual(verified.code, 66)
        assert.include(verified.err, `/.dandori/worm or ${location}`)
      }),
    )

    it.effect("says what a bucket was seen to do", () =>
      Effect.gen(function* () {
        const { folder, location } = yield* withBucket({ lock: true })
        const text = yield* dandori(folder, "worm", "probe")
        assert.strictEqual(text.code, 0, text.err)
        assert.include(text.out, `trusted  ${location}  versions, Object Lock in GOVERNANCE mode`)
        const json = yield* dandori(folder, "worm", "probe", `${location}/other`, "--json")
        assert.deepInclude(ndjson(json.out)[0], {
          v: 1,
          kind: "worm-probe",
          removeVersion: "refused",
          overwrite: "kept",
        })
      }),
    )
  })
})

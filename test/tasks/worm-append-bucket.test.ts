import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as WormBucket from "../../src/services/worm-bucket.ts"
import * as WormBucketChain from "../../src/services/worm-bucket-chain.ts"
import { verifyWorm } from "../../src/services/worm-chain.ts"
import wormAppend, { type Input } from "../../tasks/worm-append/index.ts"
import * as HttpProxy from "../support/http-proxy.ts"
import * as S3Place from "../support/s3-place.ts"
import * as Workplace from "./workplace.ts"

const repository = join(import.meta.dirname, "../..")

/** A project whose records go to a new bucket, through a proxy where one is named. */
const project = (options: { readonly lock?: boolean } = {}, endpoint?: string) =>
  Effect.gen(function* () {
    const place = yield* S3Place.S3Place
    const bucket = yield* place.bucket({ lock: true, ...options })
    const root = yield* Workplace.project
    const s3 = { ...place.section, ...(endpoint === undefined ? {} : { endpoint }) }
    const location = `s3://${bucket}/worm`
    const storage = {
      s3,
      offsite: {
        bucket: "${env:S3_BUCKET}",
        worm_location: `${location}/`,
        storage_class: "STANDARD",
        rds_instance: "i",
        rds_snapshot_prefix: "p",
        ebs_tag: "t",
      },
    } as const
    const verify = Effect.flatMap(S3Place.opened(place.section, location), (store) =>
      WormBucketChain.verifyBucket(store),
    )
    return { root, bucket, location, storage, verify, place }
  })

type Project = Effect.Success<ReturnType<typeof project>>
type Options = Workplace.Configured & {
  readonly task?: string
  readonly destination?: (typeof Input.Type)["destination"]
}

const input = ({ destination, task = "work" }: Options) => ({
  recordType: "ops" as const,
  payload: { task },
  ...(destination === undefined ? {} : { destination }),
})
const given = ({ root, storage }: Project, options: Options) => Workplace.attempt(root, { storage, ...options })
const append = (at: Project, options: Options = {}) =>
  wormAppend.run(input(options)).pipe(Effect.provide(given(at, options)))
const probe = (at: Project, options: Options = {}) =>
  (wormAppend.probe?.(input(options)) ?? Effect.succeedNone).pipe(Effect.provide(given(at, options)))

describe("worm-append to a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("writes to the directory and the bucket, and notes what the bucket was seen to do", () =>
      Effect.gen(function* () {
        const at = yield* project()
        const notes: Array<Readonly<Record<string, unknown>>> = []
        assert.isTrue(Option.isNone(yield* probe(at)))
        const written = yield* append(at, { notes })
        assert.match(written.path, /^\.dandori\/worm\/ops\//)
        assert.match(written.copies?.[0]?.path ?? "", /^s3:\/\/test-[^/]+\/worm\/ops\/\d{4}\/\d{6}\/ops_/)
        const [trust] = (notes[0]?.["trust"] ?? []) as ReadonlyArray<object>
        assert.deepInclude(trust, {
          location: at.location,
          mode: "GOVERNANCE",
          removeVersion: "refused",
        })
        assert.deepStrictEqual(yield* append(at), written)
        assert.deepStrictEqual(yield* probe(at), Option.some(written))
        assert.deepStrictEqual((yield* at.verify).problems, [])
        assert.deepStrictEqual((yield* verifyWorm(join(at.root, ".dandori/worm"))).problems, [])
      }),
    )

    it.effect("writes to the one destination that the input names", () =>
      Effect.gen(function* () {
        const at = yield* project()
        const inBucket = yield* append(at, { task: "b", destination: "bucket" })
        assert.match(inBucket.path, /^s3:\/\//)
        assert.isUndefined(inBucket.copies)
        const inFolder = yield* append(at, { task: "d", destination: "directory" })
        assert.match(inFolder.path, /^\.dandori\//)
        assert.deepStrictEqual([inBucket.sequence, inFolder.sequence], [1, 1])
        const nowhere = yield* Effect.flip(append(at, { destination: "bucket", storage: {} }))
        assert.strictEqual(nowhere._tag, "BucketMissing")
      }),
    )

    it.effect("locks for good in production alone, for as long as audits are kept", () =>
      Effect.gen(function* () {
        const at = yield* project()
        for (const env of ["stg", "prod"] as const) {
          const { path } = yield* append(at, { task: env, env, destination: "bucket" })
          const Key = path.slice(`s3://${at.bucket}/`.length)
          const head = yield* Effect.promise(() => at.place.sdk.headObject({ Bucket: at.bucket, Key }))
          assert.strictEqual(head.ObjectLockMode, env === "prod" ? "COMPLIANCE" : "GOVERNANCE")
          const years = (head.ObjectLockRetainUntilDate?.getUTCFullYear() ?? 0) - new Date().getUTCFullYear()
          assert.strictEqual(years, 5)
        }
      }),
    )

    it.effect("writes nothing anywhere when the bucket cannot be trusted", () =>
      Effect.gen(function* () {
        const at = yield* project({ lock: false })
        const error = yield* Effect.flip(append(at))
        assert.strictEqual(error._tag, "BucketUntrusted")
        assert.isTrue(Option.isNone(yield* probe(at, { destination: "directory" })))
      }),
    )

    it.effect(
      "says of a record that is not yet in the bucket where it stands, and copies it with the next attempt",
      () =>
        Effect.gen(function* () {
          const { endpoint } = yield* S3Place.S3Place
          let isRefusing = true
          const { url } = yield* HttpProxy.start(endpoint, ({ method, url: path }, forward) =>
            isRefusing && method === "PUT" && path.includes("/chain/")
              ? Promise.resolve({
                  status: 403,
                  headers: {},
                  body: Buffer.from("<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
                })
              : forward(),
          )
          const at = yield* project({}, url)
          const error = yield* Effect.flip(append(at))
          assert.strictEqual(error._tag, "CopyFailed")
          assert.match(error.message, /The record stands at .*\/worm\/ops\/.*could not be copied: .* is denied/)
          assert.notProperty(error, "notApplied")
          assert.isTrue(Option.isNone(yield* probe(at)))
          isRefusing = false
          const written = yield* append(at)
          assert.strictEqual(written.sequence, 1)
          assert.strictEqual(written.copies?.length, 1)
        }),
    )

    it.effect("loses nothing and writes nothing twice when it is killed between the link and the record", () =>
      Effect.gen(function* () {
        const { endpoint } = yield* S3Place.S3Place
        const reached = Promise.withResolvers<void>()
        let isHolding = true
        const { url } = yield* HttpProxy.start(endpoint, ({ method, url: path }, forward) => {
          if (!isHolding || method !== "PUT" || !/\/worm\/ops\/\d{4}\//.test(path)) return forward()
          reached.resolve()
          return new Promise(() => {})
        })
        const at = yield* project({}, url)
        const options = JSON.stringify({ task: "crashed", storage: at.storage })
        const script = `
          import * as Effect from "effect/Effect"
          import wormAppend from ${JSON.stringify(join(repository, "tasks/worm-append/index.ts"))}
          import * as Workplace from ${JSON.stringify(join(repository, "test/tasks/workplace.ts"))}
          await Effect.runPromise(
            wormAppend.run({ recordType: "ops", payload: { task: "crashed" }, destination: "bucket" }).pipe(
              Effect.provide(Workplace.attempt(${JSON.stringify(at.root)}, ${options}))))`
        yield* Effect.promise(async () => {
          const child = Bun.spawn([process.execPath, "-e", script], { cwd: repository, env: { ...process.env } })
          await Promise.race([reached.promise, child.exited])
          child.kill("SIGKILL")
          await child.exited
        })
        isHolding = false
        const after = yield* at.verify
        assert.deepStrictEqual(after.problems, [])
        assert.strictEqual(after.chains[0]?.records, 1)
        const Prefix = "worm/ops/2"
        const records = Effect.promise(() => at.place.sdk.listObjectsV2({ Bucket: at.bucket, Prefix }))
        assert.strictEqual((yield* records).KeyCount, 0)
        const next = yield* append(at, { task: "next", destination: "bucket" })
        assert.strictEqual(next.sequence, 2)
        assert.strictEqual((yield* records).KeyCount, 2)
        const found = Option.getOrThrow(yield* probe(at, { task: "crashed", destination: "bucket" }))
        assert.deepStrictEqual(yield* append(at, { task: "crashed", destination: "bucket" }), found)
        assert.strictEqual(next.prevSha256, found.sha256)
        assert.deepStrictEqual((yield* at.verify).problems, [])
      }),
    )

    it.effect("goes on after a record that another writer began the chain with while it looked", () =>
      Effect.gen(function* () {
        const at = yield* project()
        const store = yield* S3Place.opened(at.place.section, at.location)
        const lock = { mode: "GOVERNANCE", until: new Date(Date.now() + 60_000) } as const
        const request = (recordId: string) => ({ recordType: "ops" as const, recordId, payload: { recordId } })
        let raced = false
        const { versions } = store
        assert.isDefined(versions)
        const list = (prefix: string) =>
          Effect.gen(function* () {
            const found = yield* versions.list(prefix)
            if (!raced) {
              raced = true
              yield* Effect.orDie(WormBucket.append(store, request("the other's"), lock))
            }
            return found
          })
        const looking = { ...store, versions: { ...versions, list } }
        assert.strictEqual((yield* WormBucket.append(looking, request("ours"), lock)).sequence, 2)
        assert.deepStrictEqual((yield* at.verify).problems, [])
      }),
    )

    it.effect("keeps every acknowledged record of two writers that are killed, in one whole chain", () =>
      Effect.gen(function* () {
        const at = yield* project()
        const loop = (name: string) => `
          import * as Effect from "effect/Effect"
          import wormAppend from ${JSON.stringify(join(repository, "tasks/worm-append/index.ts"))}
          import * as Workplace from ${JSON.stringify(join(repository, "test/tasks/workplace.ts"))}
          for (let index = 0; ; index++) {
            const options = { task: ${JSON.stringify(name)} + index, storage: ${JSON.stringify(at.storage)} }
            const appended = await Effect.runPromise(
              wormAppend.run({ recordType: "ops", payload: { index }, destination: "bucket" }).pipe(
                Effect.provide(Workplace.attempt(${JSON.stringify(at.root)}, options))))
            console.log(appended.sha256)
          }`
        /** Starts a writer, kills it after it has acknowledged so many records, returns their digests. */
        const writeAndDie = (name: string, count: number) =>
          Effect.promise(async () => {
            const child = Bun.spawn([process.execPath, "-e", loop(name)], {
              cwd: repository,
              env: { ...process.env },
              stdout: "pipe",
            })
            let seen = ""
            for await (const chunk of child.stdout) {
              seen += new TextDecoder().decode(chunk)
              if (seen.split("\n").length > count) child.kill("SIGKILL")
            }
            await child.exited
            return seen.trim().split("\n")
          })
        const acknowledged = yield* Effect.forEach([1, 2, 3], (round) =>
          Effect.all([writeAndDie(`a${round}x`, round), writeAndDie(`b${round}x`, 4 - round)], { concurrency: 2 }),
        )
        const last = yield* append(at, { task: "last", destination: "bucket" })
        const { chains, problems } = yield* at.verify
        assert.deepStrictEqual(problems, [])
        assert.strictEqual(chains[0]?.records, last.sequence)
        const links = yield* Effect.promise(async () => {
          const { Contents = [] } = await at.place.sdk.listObjectsV2({ Bucket: at.bucket, Prefix: "worm/ops/chain/" })
          const texts = Contents.map(async ({ Key = "" }) =>
            (await at.place.sdk.getObject({ Bucket: at.bucket, Key })).Body?.transformToString(),
          )
          return (await Promise.all(texts)).join()
        })
        for (const sha256 of acknowledged.flat(2)) assert.include(links, `"sha256":"${sha256}"`)
      }),
    )
  })
})

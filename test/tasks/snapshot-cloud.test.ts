import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import snapshot from "../../tasks/snapshot/index.ts"
import type { Input } from "../../tasks/snapshot/schema.ts"
import * as CloudPlace from "../support/cloud-place.ts"
import { keys } from "../support/servers/aws.ts"
import * as Workplace from "./workplace.ts"

const offsite = { bucket: "${env:S3_BUCKET}", worm_location: "s3://other/worm/", storage_class: "STANDARD" } as const

describe("snapshot in the cloud", () => {
  layer(CloudPlace.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "takes the configured instance and volumes once, beside what is copied, and names them in the manifest",
      () =>
        Effect.gen(function* () {
          const place = yield* CloudPlace.CloudPlace
          const instance = yield* place.instance
          const tag = `redis-${crypto.randomUUID()}`
          const volume = yield* place.volume(tag)
          const root = yield* Workplace.project
          yield* Effect.promise(async () => {
            await Fs.mkdir(join(root, "data"))
            await Fs.writeFile(join(root, "data/one"), "one")
          })
          const storage = {
            aws: { endpoint: place.endpoint, region: keys.AWS_REGION },
            offsite: { ...offsite, rds_instance: instance, rds_snapshot_prefix: "Our_DB", ebs_tag: tag },
          }
          const note = join(root, "hook")
          const quiesce = {
            before: ["sh", "-c", `echo before >> "${note}"`],
            after: ["sh", "-c", `echo after >> "${note}"`],
          } as const
          const input: Input = {
            targets: [{ kind: "tree", path: "data" }, { kind: "rds" }, { kind: "ebs", quiesce }],
            destination: "backups",
            verify: "digest",
          }
          const take = snapshot.run(input).pipe(Effect.provide(Workplace.attempt(root, { storage })))
          const output = yield* take
          const [rds] = output.resources?.rds ?? []
          assert.deepInclude(rds, { instance, status: "available" })
          assert.match(rds.identifier, /^our-db-\d{8}t\d{6}z-[0-9a-f]{12}$/)
          const [ebs] = output.resources?.ebs ?? []
          assert.deepInclude(ebs, { volume, status: "completed", quiesced: true, record: rds.record })
          assert.strictEqual(yield* Effect.promise(() => Fs.readFile(note, "utf8")), "before\nafter\n")
          const manifest = yield* Effect.promise(() =>
            Fs.readFile(join(root, "backups", output.snapshot, "manifest.json"), "utf8"),
          )
          assert.deepStrictEqual(JSON.parse(manifest).resources, output.resources)

          // As after a crash before the manifest: what was begun in the cloud is found.
          yield* Effect.promise(() => Fs.rm(join(root, "backups", output.snapshot, "manifest.json")))
          assert.deepStrictEqual((yield* take).resources, output.resources)
          const { DBSnapshots } = yield* Effect.promise(() =>
            place.rds.describeDBSnapshots({ DBInstanceIdentifier: instance, SnapshotType: "manual" }),
          )
          assert.strictEqual(DBSnapshots?.length, 1)
        }),
    )

    it.effect(
      "leaves out what the environment has none of where that is asked for, and else says what is not set",
      () =>
        Effect.gen(function* () {
          const root = yield* Workplace.project
          yield* Effect.promise(() => Fs.mkdir(join(root, "data")))
          const run = (ifThere: boolean) =>
            snapshot
              .run({
                targets: [
                  { kind: "tree", path: "data" },
                  { kind: "rds", ifThere },
                  { kind: "ebs", ifThere },
                ],
                verify: "digest",
              })
              .pipe(Effect.provide(Workplace.attempt(root)))
          const { left, resources } = yield* run(true)
          assert.isUndefined(resources)
          assert.deepStrictEqual(left, [
            { kind: "rds", reason: "storage.offsite.rds_instance is not set" },
            { kind: "ebs", reason: "storage.offsite.ebs_tag is not set" },
          ])
          assert.include((yield* Effect.flip(run(false))).message, "storage.offsite.rds_instance is not set")
        }),
    )
  })
})

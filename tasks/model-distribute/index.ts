import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { ModelVersion } from "../../src/domain/model.ts"
import { Sha256 } from "../../src/domain/sha256.ts"
import { ModelFiles } from "../../src/services/model-files.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import { Progress } from "../../src/services/progress.ts"
import { verifyVersion } from "../model-verify/version.ts"

/** What is copied where. */
export const Input = Schema.Struct({
  model: ModelVersion.annotate({ description: "the published version that is copied, and its digest" }),
  to: Schema.Array(Schema.String).check(Schema.isMinLength(1)).annotate({
    description: "locations: folders, or s3://bucket/prefix; the version becomes <location>/<version>/",
  }),
}).annotate({ identifier: "ModelDistributeInput" })

/** Where the version lies, every object by the digest that the destination confirmed; sizes in bytes. */
export const Output = Schema.Struct({
  ...ModelVersion.fields,
  copies: Schema.Array(Schema.Struct({ location: Schema.String, objects: Schema.Int, bytes: Schema.Int })),
  objects: Schema.Array(Schema.Struct({ path: Schema.String, sha256: Sha256, bytes: Schema.Int })),
}).annotate({ identifier: "DistributedModel" })

/** A destination confirmed other bytes than those that were sent. */
export class CopyDiffers extends Schema.TaggedError<CopyDiffers>()("CopyDiffers", {
  location: Schema.String,
  path: Schema.String,
  sent: Schema.String,
  found: Schema.String,
}) {
  override get message() {
    return `${this.location} has ${this.found} for ${this.path}, sent was ${this.sent}; the copy is not to be used`
  }
}

const run = Effect.fn("model-distribute.run")(function* ({ model, to }: typeof Input.Type) {
  const { folder } = yield* verifyVersion(model)
  const found = yield* (yield* ModelFiles).inspect(folder)
  const objects = found
    .map(({ bytes, path, sha256 }) => ({ path, sha256: sha256 as Sha256, bytes }))
    .toSorted((x, y) => (x.path < y.path ? -1 : 1))
  const progress = yield* Progress
  const stores = yield* ObjectStore
  let done = 0
  const copies = yield* Effect.forEach(to, (location) =>
    Effect.gen(function* () {
      const store = yield* stores.open(location)
      for (const { bytes, path, sha256 } of objects) {
        const put = yield* store.putFile(`${model.version}/${path}`, join(folder.path, path))
        if (put.sha256 !== sha256) {
          return yield* new CopyDiffers({ location: store.location, path, sent: sha256, found: put.sha256 })
        }
        yield* progress.report({ done: (done += bytes), unit: "bytes", note: store.location })
      }
      return {
        location: `${store.location}/${model.version}`,
        objects: objects.length,
        bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
      }
    }),
  )
  return { ...model, copies, objects }
}, Effect.scoped)

/** Copies a published version to other places, each object conditionally and checked by digest. */
export default taskType({
  type: "model-distribute",
  version: 1,
  description: "Copies a published version to folders or buckets; what is there already with the same bytes stays",
  input: Input,
  output: Output,
  errors: {
    CopyDiffers: "a destination confirmed other bytes",
    FileFailed: "a file could not be read",
    FilesPurged: "retention has purged the version's files",
    LockBusy: "another process holds the lock",
    LockFailed: "the lock could not be taken",
    ModelDamaged: "the published files are not what was published",
    ObjectExists: "another object is there already",
    ObjectStoreError: "the object store failed",
    PathRefused: "a path leads outside of the project",
    RegistryUnavailable: "the registry cannot be reached",
    VersionConflict: "the registry has other bytes under the version",
    VersionRefused: "the version is no plain name",
    VersionUnknown: "the registry has no such version",
  },
  effects: "idempotent",
  config: ["storage"],
  dryRun: ({ model, to }) =>
    Effect.map(
      Effect.scoped(verifyVersion(model)),
      ({ list }) =>
        `would copy the ${Object.keys(list.checksums).length} files of ${model.version} to ${to.join(", ")}`,
    ),
  run,
})

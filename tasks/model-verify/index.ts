import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { ModelVersion, slotText } from "../../src/domain/model.ts"
import { ModelStatus } from "../../src/domain/registry.ts"
import { verifyVersion } from "./version.ts"

/** What is verified. */
export const Input = Schema.Struct({
  model: ModelVersion.annotate({ description: "the published version, and the digest that it must have" }),
}).annotate({ identifier: "ModelVerifyInput" })

/** What was found to be whole; sizes in bytes. */
export const Output = Schema.Struct({
  ...ModelVersion.fields,
  slot: Schema.String,
  status: ModelStatus,
  path: Schema.String,
  files: Schema.Int,
  bytes: Schema.Int,
}).annotate({ identifier: "VerifiedModel" })

/** Reads a published version's files back and compares them with their checksums and with the registry. */
export default taskType({
  type: "model-verify",
  version: 1,
  description: "Reads a published version back and compares it with its checksums and the registry",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "a file could not be read",
    FilesPurged: "retention has purged the version's files",
    LockBusy: "another process holds the lock",
    LockFailed: "the lock could not be taken",
    ModelDamaged: "the published files are not what was published",
    PathRefused: "a path leads outside of the project",
    RegistryUnavailable: "the registry cannot be reached",
    VersionConflict: "the registry has other bytes under the version",
    VersionRefused: "the version is no plain name",
    VersionUnknown: "the registry has no such version",
  },
  effects: "idempotent",
  config: ["storage"],
  dryRun: ({ model }) =>
    Effect.map(Effect.scoped(verifyVersion(model)), ({ path }) => `${model.version} in ${path} is whole`),
  run: ({ model }) =>
    Effect.map(Effect.scoped(verifyVersion(model)), ({ list, path, row }) => ({
      ...model,
      slot: slotText(row.slot),
      status: row.status,
      path,
      files: Object.keys(list.checksums).length,
      bytes: Object.values(list.sizes).reduce((sum, bytes) => sum + bytes, 0),
    })),
})

import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import { databaseErrors } from "../snapshot/errors.ts"
import { choose } from "./place.ts"
import { run } from "./run.ts"
import { RestoreInput, RestoreOutput } from "./schema.ts"

/**
 * Brings a snapshot back into an empty place and proves that it is equal: every file by its digest, the ledger up to the
 * head that was recorded, the chains of write-once records, the databases by what they hold. A gate on the RPO and RTO
 * that it measures. Doing it again where it was done changes nothing.
 */
export default taskType({
  type: "restore",
  version: 1,
  description: "Restores a snapshot into an empty place, proves it equal, and measures RPO and RTO",
  input: RestoreInput,
  output: RestoreOutput,
  errors: {
    ...databaseErrors,
    ArtifactError: "the report could not be stored",
    EvidenceDamaged: "the restored ledger or records do not verify",
    EvidenceError: "the restored ledger cannot be read",
    FileFailed: "a file could not be read or written",
    ObjectStoreError: "the object store failed",
    PathRefused: "a path leads outside of the project",
    RestoreRefused: "the folder is not empty",
    SnapshotDamaged: "the snapshot is not what was taken",
    SnapshotMissing: "there is no such snapshot",
  },
  effects: "idempotent",
  config: ["database", "messaging", "storage"],
  gate: ({ gate }) => gate,
  dryRun: (input) =>
    Effect.map(
      choose(input),
      ({ folder, manifest, store }) =>
        `would restore ${manifest.snapshot} of ${store.location} (${manifest.objects} files, ${manifest.bytes} bytes) into ${folder}, databases: ${input.databases}`,
    ),
  run,
})

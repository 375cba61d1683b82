import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import { backtestSections } from "../../src/domain/gate-policy.ts"
import type * as Run from "./run.ts"
import { Published, PublishInput } from "./schema.ts"

const implementation = Effect.promise(() => import("./run.ts"))

type Effects = ReturnType<(typeof Run)["run"] | (typeof Run)["probe"] | (typeof Run)["dryRun"]>

/**
 * Publishes a gated model version: staged, checked against its receipts, placed by one rename, registered and deployed
 * in one transaction. The same bytes again are a success that says so and changes nothing; an approved or archived
 * version is deployed again, one that was rolled back or rejected is not until somebody approves it.
 */
export default taskType<PublishInput, Published, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "publish",
  version: 2,
  description: "Publishes a gated model under its version, with checksums and receipts, and makes it champion",
  input: PublishInput,
  output: Published,
  errors: {
    EvidenceError: "the ledger cannot be read",
    FileFailed: "a file could not be read or written",
    FilesPurged: "retention has purged the version's files",
    LockBusy: "another process holds the lock",
    LockFailed: "the lock could not be taken",
    ModelRefused: "the model's files are not what it says",
    PathRefused: "a path leads outside of the project",
    ReasonMissing: "the registry wants a reason",
    ReceiptMissing: "a gate's receipt for these bytes is missing",
    RegistryUnavailable: "the registry cannot be reached",
    StagingFailed: "the model's files could not be staged",
    TransitionRefused: "the registry does not allow the move",
    VersionConflict: "the version is there with other bytes",
    VersionDamaged: "the published files are damaged",
    VersionRefused: "the version is no plain name",
    VersionUnknown: "the registry has no such version",
  },
  effects: "once",
  config: ["storage", ...backtestSections, "notifications", "messaging"],
  dryRun: (input) => Effect.flatMap(implementation, ({ dryRun }) => dryRun(input)),
  probe: (input) => Effect.flatMap(implementation, ({ probe }) => probe(input)),
  run: (input) => Effect.flatMap(implementation, ({ run }) => run(input)),
})

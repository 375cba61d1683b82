import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import { backtestSections } from "../../src/domain/gate-policy.ts"
import type * as Run from "./run.ts"
import { Input, Output } from "./schema.ts"

const implementation = Effect.promise(() => import("./run.ts"))

type Effects = ReturnType<(typeof Run)["run"] | (typeof Run)["probe"] | (typeof Run)["dryRun"]>

/**
 * Makes a published version champion of its slot: for a release after an approval, and for a rollback. Its bytes are read
 * back and its receipts checked before anything is changed; then the alias, both histories and the outbox change together.
 * A version that was taken out for cause comes back only where the task has an approval.
 */
export default taskType<Input, Output, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "model-deploy",
  version: 1,
  description: "Makes a published version champion of its slot, once its bytes and receipts are verified",
  input: Input,
  output: Output,
  errors: {
    EvidenceError: "the ledger cannot be read",
    FileFailed: "a file could not be read",
    FilesPurged: "retention has purged the version's files",
    LockBusy: "another process holds the lock",
    LockFailed: "the lock could not be taken",
    ModelDamaged: "the published files are not what was published",
    PathRefused: "a path leads outside of the project",
    ReasonMissing: "the registry wants a reason",
    ReceiptMissing: "a gate's receipt for these bytes is missing",
    RegistryUnavailable: "the registry cannot be reached",
    TransitionRefused: "the registry does not allow the move",
    VersionConflict: "the registry has other bytes under the version",
    VersionRefused: "the version is no plain name",
    VersionUnknown: "the registry has no such version",
  },
  effects: "once",
  config: ["storage", ...backtestSections, "notifications", "messaging"],
  dryRun: (input) => Effect.flatMap(implementation, ({ dryRun }) => dryRun(input)),
  probe: (input) => Effect.flatMap(implementation, ({ probe }) => probe(input)),
  run: (input) => Effect.flatMap(implementation, ({ run }) => run(input)),
})

import * as Schema from "effect/Schema"
import { Sha256 } from "../../src/domain/sha256.ts"
import { Skipped, TargetKind, VerifyMode } from "../../src/services/snapshot-manifest.ts"
import { Verification } from "../../src/services/snapshot-restore.ts"

/** What to take: a folder (`tree` with its `path`), the published models, the ledger. */
export const Target = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("tree"), path: Schema.String.check(Schema.isMinLength(1)) }),
  Schema.Struct({ kind: Schema.Literals(["models", "ledger"]) }),
]).annotate({ identifier: "SnapshotTarget" })
export type Target = typeof Target.Type

/** What to take, where to (the storage section's `backups_root` when absent), and how to prove it. */
export const Input = Schema.Struct({
  targets: Schema.Array(Target).check(Schema.isMinLength(1)).annotate({ description: "what is taken" }),
  destination: Schema.optionalKey(
    Schema.String.annotate({ description: "a folder, or a location such as file:///backups" }),
  ),
  verify: VerifyMode.annotate({ description: "how the copy is proven" }),
}).annotate({ identifier: "SnapshotInput" })
export type Input = typeof Input.Type

/** Where the snapshot is, what it holds, and what was proven of it. `head` is the ledger head it is consistent with. */
export const Output = Schema.Struct({
  snapshot: Schema.String,
  location: Schema.String,
  manifest: Schema.Struct({ sha256: Sha256, bytes: Schema.Int }),
  digest: Sha256,
  objects: Schema.Int,
  bytes: Schema.Int,
  head: Schema.Struct({ entries: Schema.Int, hash: Sha256 }),
  verification: Verification,
  targets: Schema.Array(
    Schema.Struct({
      kind: TargetKind,
      name: Schema.String,
      source: Schema.String,
      objects: Schema.Int,
      bytes: Schema.Int,
      links: Schema.Int,
      skipped: Schema.Array(Skipped),
    }),
  ),
}).annotate({ identifier: "Snapshot" })
export type Output = typeof Output.Type

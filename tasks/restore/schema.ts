import * as Schema from "effect/Schema"
import { GateResult, Verdict } from "../../src/domain/gate.ts"
import { Duration } from "../../src/domain/quantity.ts"
import { Sha256 } from "../../src/domain/sha256.ts"
import { LeftOut, ProvedDatabase, TargetKind } from "../../src/services/snapshot-manifest.ts"

const Time = Schema.String.check(
  Schema.makeFilter((text) => !Number.isNaN(Date.parse(text)) || "must be a time like 2026-05-05T03:14:00Z"),
)

/** Which snapshot is restored, where to, and what is asked of the recovery. */
export const RestoreInput = Schema.Struct({
  snapshot: Schema.optionalKey(
    Schema.String.annotate({ description: "id of the snapshot; empty or absent: the newest complete one" }),
  ),
  from: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "where snapshots are: a folder or s3://bucket/prefix; empty or absent: storage.offsite.bucket, and without one storage.backups_root",
    }),
  ),
  into: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "a new or empty folder, which gets a folder for each target; empty or absent: one that is removed with the run",
    }),
  ),
  databases: Schema.Literals(["none", "scratch", "configured"]).annotate({
    description:
      "scratch: copies of databases are put into databases that are made for the proof and removed; configured: into those of the configuration, which must be empty; none: they stay files",
  }),
  lostAt: Schema.optionalKey(
    Schema.Union([Time, Schema.Literal("")]).annotate({
      description: "when the original was lost, for the RPO; empty or absent: when the run was created",
    }),
  ),
  maxRpo: Schema.optionalKey(Duration.annotate({ description: "the RPO must not be above this" })),
  maxRto: Schema.optionalKey(Duration.annotate({ description: "the RTO must not be above this" })),
}).annotate({ identifier: "RestoreInput" })
export type RestoreInput = typeof RestoreInput.Type

/** One thing that was asked of the recovery. */
const Check = Schema.Struct({
  name: Schema.String,
  passed: Schema.Boolean,
  observed: Schema.String,
  threshold: Schema.String,
})

/**
 * What was restored and proved equal to the manifest, by digest. `rpoSeconds` is the time between the consistency point
 * (when reading for the snapshot began) and the loss: what was written in it is gone. `rtoSeconds` is the time from the
 * creation of the run to the proof.
 */
export const RestoreOutput = Schema.Struct({
  verdict: Verdict,
  snapshot: Schema.String,
  location: Schema.String,
  folder: Schema.String,
  digest: Sha256,
  objects: Schema.Int,
  bytes: Schema.Int,
  taken: Schema.String,
  transaction: Schema.optionalKey(Schema.String),
  head: Schema.Struct({ entries: Schema.Int, hash: Sha256 }),
  targets: Schema.Array(
    Schema.Struct({ kind: TargetKind, name: Schema.String, objects: Schema.Int, bytes: Schema.Int }),
  ),
  ledger: Schema.optionalKey(Schema.Struct({ streams: Schema.Int, entries: Schema.Int })),
  records: Schema.optionalKey(Schema.Int.annotate({ description: "write-once records whose chains were verified" })),
  databases: Schema.Array(ProvedDatabase),
  left: Schema.Array(LeftOut),
  rpoSeconds: Schema.Finite,
  rtoSeconds: Schema.Finite,
  checks: Schema.Array(Check),
  gate: GateResult,
}).annotate({ identifier: "Restored" })
export type RestoreOutput = typeof RestoreOutput.Type

import * as Schema from "effect/Schema"
import { BundleName, Collected, NotTaken, Redaction } from "./collected.ts"
import { Name } from "./config/measure.ts"
import { IncidentId, type Incident } from "./incident.ts"
import { Sha256 } from "./sha256.ts"

/**
 * A file of a bundle. `sha256` and `bytes` are those of what lies in the bundle; of a redacted file `original` are those
 * of the source. `unstable`: the source changed each time it was read; what was read last is there. `inTar`: it lies in
 * `evidence.tar`, and is at `path` once that is unpacked. `parts`: the sizes that it was sent in, where the destination
 * digests parts. `mtime` is milliseconds since the epoch.
 */
export const BundleItem = Schema.Struct({
  path: Schema.String,
  bytes: Schema.Int,
  sha256: Sha256,
  mtime: Schema.Int,
  mode: Schema.Int,
  uid: Schema.Int,
  gid: Schema.Int,
  collector: Name,
  source: Schema.String,
  unstable: Schema.optionalKey(Schema.Boolean),
  inTar: Schema.optionalKey(Schema.Boolean),
  parts: Schema.optionalKey(Schema.Array(Schema.Int)),
  original: Schema.optionalKey(Schema.Struct({ bytes: Schema.Int, sha256: Sha256 })),
  redactions: Schema.optionalKey(Schema.Array(Redaction)),
}).annotate({ identifier: "BundleItem" })
export type BundleItem = typeof BundleItem.Type

/** How much of what was seen is in the bundle, by its manifest. */
export const Coverage = Schema.Struct({
  seen: Schema.Int,
  taken: Schema.Int,
  notTaken: Schema.Int,
  unstable: Schema.Int,
  collectors: Schema.Struct({ ok: Schema.Int, skipped: Schema.Int, failed: Schema.Int }),
}).annotate({ identifier: "Coverage" })
export type Coverage = typeof Coverage.Type

/** Whose key signed a bundle: that of the project's ledger; where it cannot be used, one made for the incident or this bundle. */
export const SignedBy = Schema.Struct({
  keyid: Sha256,
  key: Schema.Literals(["ledger", "incident", "bundle"]),
})
export type SignedBy = typeof SignedBy.Type

/**
 * `manifest.json` of a bundle, canonical JSON. `root` is the SHA-256 of `SHA256SUMS`, which has a line for every item and
 * one for the README; `SHA256SUMS.sig` and `manifest.json.sig` are Ed25519 signatures over these two files by the key in
 * `key.pem`. `beside` is where the incident's other bundle lies at the same destination. `of` names the bundle that this
 * one is a redacted copy of; `signature` is that of its `SHA256SUMS`, in base64.
 */
export const BundleManifest = Schema.Struct({
  format: Schema.Literal("dandori-bundle/1"),
  incident: IncidentId,
  bundle: BundleName,
  created: Schema.Int,
  host: Schema.String,
  items: Schema.Array(BundleItem),
  notTaken: Schema.Array(NotTaken),
  collected: Schema.Array(Collected),
  coverage: Coverage,
  root: Sha256,
  signedBy: Schema.optionalKey(SignedBy),
  beside: Schema.optionalKey(Schema.String),
  of: Schema.optionalKey(Schema.Struct({ root: Sha256, keyid: Sha256, signature: Schema.String })),
}).annotate({ identifier: "BundleManifest" })
export type BundleManifest = typeof BundleManifest.Type

/** The names of a bundle's own files. */
export const bundleFiles = {
  readme: "README.md",
  manifest: "manifest.json",
  manifestSignature: "manifest.json.sig",
  sums: "SHA256SUMS",
  signature: "SHA256SUMS.sig",
  key: "key.pem",
  tar: "evidence.tar",
} as const

/** What the keys of a bundle's objects begin with at a destination, before a `/`. */
export const prefixOf = ({ id, snapshot }: Pick<Incident, "id" | "snapshot">, bundle: BundleName): string =>
  bundle === "evidence" ? `incidents/${id}/evidence` : `snapshots/${snapshot}`

/** The folder of the own files of a bundle that is not complete, and the names of such folders. */
export const partialFolder = (stamp: string): string => `partial-${stamp}`
export const partialPattern = /^partial-\d{8}T\d{6}Z$/

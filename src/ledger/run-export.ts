import * as Schema from "effect/Schema"
import { RunId } from "../domain/names.ts"

/** Names of the files in an exported run. */
export const files = {
  events: "events.ndjson",
  proof: "proof.json",
  checkpoint: "checkpoint.txt",
  publicKey: "ledger.pub",
  plan: "plan.json",
  receipts: "receipts",
  files: "files.sha256",
  artifacts: "artifacts.sha256",
  readme: "README.txt",
} as const

/**
 * The root's entries about an exported run. `line` is the entry's line in the root, `index` its leaf (from 0) in the
 * tree of `size` leaves that the checkpoint signs, `path` its audit path in base64, lowest sibling first.
 */
export const Proof = Schema.Struct({
  run: RunId,
  size: Schema.Int,
  entries: Schema.Array(Schema.Struct({ index: Schema.Int, line: Schema.String, path: Schema.Array(Schema.String) })),
})
export type Proof = typeof Proof.Type

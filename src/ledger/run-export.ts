import * as Schema from "effect/Schema"
import { Artifact } from "../domain/artifact.ts"
import type { Entry } from "../domain/event.ts"
import { RunId } from "../domain/names.ts"
import * as Receipts from "./receipts.ts"

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

const isArtifact = Schema.is(Artifact)

/** The artifacts that some data names, at any depth. */
const artifactsIn = (data: unknown): ReadonlyArray<Artifact> => {
  if (typeof data !== "object" || data === null) return []
  return isArtifact(data) ? [data] : Object.values(data).flatMap(artifactsIn)
}

const unique = (artifacts: ReadonlyArray<Artifact>): ReadonlyArray<Artifact> => [
  ...new Map(artifacts.map((artifact) => [artifact.sha256, artifact])).values(),
]

/** The artifacts that a run's events name, each once. */
export const artifactsOf = (events: ReadonlyArray<Entry>): ReadonlyArray<Artifact> =>
  unique(events.flatMap(({ data }) => artifactsIn(data)))

/** The receipts that a run's events name, each once. */
export const receiptsOf = (events: ReadonlyArray<Entry>): ReadonlyArray<Artifact> =>
  unique(events.flatMap(({ data }) => Receipts.namedBy(data)))

/** The text of `artifacts.sha256`: digests, with the places of the bytes below a project's home. */
export const digestList = (artifacts: ReadonlyArray<Artifact>): string =>
  artifacts.map(({ sha256 }) => `${sha256}  artifacts/sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}\n`).join("")

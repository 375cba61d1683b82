import * as Schema from "effect/Schema"
import * as Model from "./model.ts"
import { Segment } from "./names.ts"
import { Sha256 } from "./sha256.ts"

/** Name of the list in a version's folder. */
export const fileName = "checksums.json"

/** Name of the signature over all other files of a version's folder (`model-signature.ts`). */
export const signatureName = "model.sig"

/** The folder of the receipts in a version's folder. */
export const receiptsFolder = "receipts"

/** `checksums.json` of a model version: the shape of the runbook, with sizes and the model's digest beside. */
export const Checksums = Schema.Struct({
  model_version: Segment,
  artifacts: Schema.Array(Schema.String).annotate({ description: "the model's files, sorted, without the receipts" }),
  checksums: Schema.Record(Schema.String, Sha256),
  sizes: Schema.Record(Schema.String, Schema.Int),
  root_digest: Sha256.annotate({
    description: "the model's digest: SHA-256 over the `sha256  path` lines of artifacts",
  }),
  metadata: Schema.Record(Schema.String, Schema.Unknown),
}).annotate({ identifier: "Checksums" })
export type Checksums = typeof Checksums.Type

/** A file as it was found: path relative to the version's folder, `/`-separated. */
export interface FoundFile {
  readonly path: string
  readonly sha256: string
  readonly bytes: number
}

/** One way in which a folder differs from its list. */
export type Difference =
  | { readonly kind: "extra" | "missing" | "altered"; readonly path: string }
  | { readonly kind: "swapped"; readonly path: string; readonly with: string }
  | { readonly kind: "invalid"; readonly reason: string }

/** True of a path that is listed but not part of the model's digest. */
export const isReceipt = (path: string): boolean => path.startsWith(`${receiptsFolder}/`)

/** True of a file that stands beside the list without being in it: the list itself and the signature over it. */
export const isUnlisted = (path: string): boolean => path === fileName || path === signatureName

const byPath = (x: FoundFile, y: FoundFile) => (x.path < y.path ? -1 : x.path > y.path ? 1 : 0)

/** The digest of a model from its files, receipts and lists left out. */
export const rootDigest = (files: ReadonlyArray<FoundFile>): Sha256 =>
  Model.digest(
    files
      .filter((file) => !isReceipt(file.path) && !isUnlisted(file.path))
      .map((file) => ({ name: file.path, sha256: file.sha256 })),
  )

/** The list of the files of a version. */
export const make = (
  version: string,
  files: ReadonlyArray<FoundFile>,
  metadata: Readonly<Record<string, unknown>>,
): Checksums => {
  const sorted = files.filter((file) => !isUnlisted(file.path)).toSorted(byPath)
  return {
    model_version: version,
    artifacts: sorted.map((file) => file.path).filter((path) => !isReceipt(path)),
    checksums: Object.fromEntries(sorted.map((file) => [file.path, file.sha256 as Sha256])),
    sizes: Object.fromEntries(sorted.map((file) => [file.path, file.bytes])),
    root_digest: rootDigest(sorted),
    metadata,
  }
}

const sameNames = (x: ReadonlyArray<string>, y: ReadonlyArray<string>) =>
  x.toSorted().join("\n") === y.toSorted().join("\n")

/** What is wrong with the list itself, whatever lies in the folder. */
const inconsistencies = (listed: Checksums): ReadonlyArray<Difference> => {
  const names = Object.keys(listed.checksums)
  const model = names.filter((path) => !isReceipt(path))
  const reasons: Array<string> = []
  if (model.length === 0) reasons.push("it lists no file")
  if (!sameNames(listed.artifacts, model)) reasons.push("artifacts and checksums name different files")
  if (!sameNames(names, Object.keys(listed.sizes))) reasons.push("checksums and sizes name different files")
  const digest = Model.digest(model.map((name) => ({ name, sha256: listed.checksums[name] })))
  if (digest !== listed.root_digest) reasons.push("root_digest is not the digest of the listed files")
  return reasons.map((reason) => ({ kind: "invalid", reason }))
}

/**
 * How files differ from those that are expected, by path and digest. A file that holds the bytes of another expected
 * file, which is not in its own place either, is swapped with it.
 */
export const compare = (
  expected: ReadonlyMap<string, string>,
  found: ReadonlyArray<FoundFile>,
): ReadonlyArray<Difference> => {
  const present = new Map(found.map((file) => [file.path, file]))
  const differs = (path: string) => present.get(path)?.sha256 !== expected.get(path)
  const differences: Array<Difference> = []
  for (const [path, sha256] of [...expected].toSorted(([x], [y]) => (x < y ? -1 : 1))) {
    const file = present.get(path)
    if (file === undefined) {
      differences.push({ kind: "missing", path })
    } else if (file.sha256 !== sha256) {
      const owner = [...expected].find(([other, digest]) => other !== path && digest === file.sha256 && differs(other))
      differences.push(owner ? { kind: "swapped", path, with: owner[0] } : { kind: "altered", path })
    }
  }
  for (const { path } of found.toSorted(byPath)) {
    if (!expected.has(path)) differences.push({ kind: "extra", path })
  }
  return differences
}

/** How the files that were found differ from the list; empty when they are exactly those. An empty list never verifies. */
export const verify = (listed: Checksums, found: ReadonlyArray<FoundFile>): ReadonlyArray<Difference> => {
  const present = found.filter((file) => !isUnlisted(file.path))
  const wrongSizes = present
    .filter(({ bytes, path, sha256 }) => listed.checksums[path] === sha256 && listed.sizes[path] !== bytes)
    .map(({ path }) => `the listed size of ${path} is not the size of its bytes`)
  return [
    ...inconsistencies(listed),
    ...compare(new Map(Object.entries(listed.checksums)), present),
    ...wrongSizes.map((reason) => ({ kind: "invalid", reason }) as const),
  ]
}

/** One line for people. */
export const describe = (difference: Difference): string => {
  switch (difference.kind) {
    case "swapped":
      return `swapped: ${difference.path} has the bytes of ${difference.with}`
    case "invalid":
      return `invalid: ${difference.reason}`
    default:
      return `${difference.kind}: ${difference.path}`
  }
}

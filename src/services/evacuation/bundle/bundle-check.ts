import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isComplete } from "../../../domain/bundle-content.ts"
import { bundleFiles, BundleManifest, partialPattern } from "../../../domain/bundle.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import * as Sums from "../../../domain/sums.ts"
import type { BundleProblem } from "./bundle-files.ts"
import * as BundleFiles from "./bundle-files.ts"
import * as BundleKey from "./bundle-key.ts"
import type { BundlePlace, PlaceFailed } from "./bundle-place.ts"

/** There is no bundle. */
export class BundleMissing extends Schema.TaggedError<BundleMissing>()("BundleMissing", { location: Schema.String }) {
  readonly exitCode = 66
  override get message() {
    return `There is no bundle in ${this.location}: it would have a manifest.json there or in a folder partial-…. Name a bundle's folder, or the destination with --incident`
  }
}

/** What was found. `whole`: all that it speaks of is there as it was signed; `partial`: that, but it says that something is missing. */
export interface BundleReport {
  readonly location: string
  /** The folder of its own files in it; empty where they lie at its top. */
  readonly own: string
  readonly verdict: "whole" | "partial" | "signature" | "altered" | "missing"
  readonly manifest: BundleManifest | undefined
  readonly root: Sha256.Sha256 | undefined
  readonly keyid: Sha256.Sha256 | undefined
  /** True when the key is one of those that were given. */
  readonly pinned: boolean
  /** Files and bytes that were read. */
  readonly files: number
  readonly bytes: number
  readonly problems: ReadonlyArray<BundleProblem>
}

/** What a bundle is compared with beside itself. */
export interface Expected {
  /** Public keys in PEM, one of which must have signed; without any, the bundle's own is taken. */
  readonly keys: ReadonlyArray<string>
  /** What its SHA256SUMS has to be. */
  readonly root?: Sha256.Sha256
}

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const decodeManifest = Schema.decodeUnknownOption(Schema.fromJsonString(BundleManifest))
const ownNames = new Set<string>(Object.values(bundleFiles).filter((name) => name !== bundleFiles.tar))

/** True where a path is that of an own file of some call for the bundle. */
const isOwn = (path: string): boolean => {
  const [first = "", second, ...more] = path.split("/")
  if (second === undefined) return ownNames.has(first)
  return more.length === 0 && partialPattern.test(first) && ownNames.has(second)
}

/** The folder of the own files that count: at the top where the bundle was completed, else those of the newest call. */
const ownFolder = (paths: ReadonlyArray<string>): string | undefined => {
  const folders = (name: string) =>
    paths
      .filter((path) => isOwn(path) && (name === "" || path.split("/").at(-1) === name))
      .map((path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : ""))
      .toSorted()
  const complete = folders(bundleFiles.manifest)
  return complete.includes("") ? "" : (complete.at(-1) ?? folders(bundleFiles.sums).at(-1))
}

/** The manifest of a bundle, which nothing vouches for yet; undefined where there is none that can be read. */
export const manifestOf = Effect.fnUntraced(function* (place: BundlePlace) {
  const folder = ownFolder(yield* Effect.orElseSucceed(place.list, () => []))
  if (folder === undefined) return undefined
  const bytes = yield* place.read(folder === "" ? bundleFiles.manifest : `${folder}/${bundleFiles.manifest}`)
  return Option.getOrUndefined(Option.flatMap(bytes, (found) => decodeManifest(textOf(found))))
})

interface Own {
  readonly key: string
  readonly sums: Uint8Array | undefined
  readonly signature: Uint8Array | undefined
  readonly manifest: Uint8Array | undefined
  readonly manifestSignature: Uint8Array | undefined
}

/** Whether a signature holds; undefined where it or what it is of is not there. */
const holds = (pem: string, bytes: Uint8Array | undefined, signature: Uint8Array | undefined) =>
  bytes === undefined || signature === undefined ? Effect.undefined : BundleKey.holds(pem, bytes, signature)

/** Whose signatures hold; where keys are given, the bundle's own does not count. */
const signer = Effect.fnUntraced(function* (own: Own, keys: ReadonlyArray<string>) {
  const candidates = keys.length > 0 ? keys : own.key === "" ? [] : [own.key]
  let last: { readonly sums: boolean | undefined; readonly manifest: boolean | undefined } | undefined
  for (const pem of candidates) {
    last = {
      sums: yield* holds(pem, own.sums, own.signature),
      manifest: yield* holds(pem, own.manifest, own.manifestSignature),
    }
    if (last.sums === true || last.manifest === true) return { pem, ...last }
  }
  return { pem: undefined, sums: last?.sums, manifest: last?.manifest }
})

/** What the signatures say. Two of them tell a file that was altered from a signature that is not its own. */
const signatureProblems = Effect.fnUntraced(function* (
  own: Own,
  { manifest, pem, sums }: Effect.Success<ReturnType<typeof signer>>,
  claimed: BundleManifest | undefined,
  keys: ReadonlyArray<string>,
): Effect.fn.Return<ReadonlyArray<BundleProblem>> {
  if (sums !== false && manifest !== false) return []
  const path = sums === false ? bundleFiles.signature : bundleFiles.manifestSignature
  if (pem === undefined) {
    const keyid = yield* BundleKey.keyidOf(own.key)
    const ids = yield* Effect.forEach(keys, BundleKey.keyidOf)
    const isOther = keyid !== undefined && keys.length > 0 && !ids.includes(keyid)
    const detail = isOther
      ? `the bundle is signed by the key ${keyid}, which is none that you trust (${ids.join(", ")})`
      : "it is not by the key"
    return [{ kind: "signature", path, detail }]
  }
  const altered = "it is not what its signature was made for"
  if (manifest === false) return [{ kind: "altered", path: bundleFiles.manifest, detail: altered }]
  return claimed !== undefined && own.sums !== undefined && claimed.root === Sha256.of(own.sums)
    ? [{ kind: "signature", path, detail: "it is not the signature of SHA256SUMS" }]
    : [{ kind: "altered", path: bundleFiles.sums, detail: altered }]
})

/** Where SHA256SUMS and the manifest contradict each other, or what is known from elsewhere. */
const contradictions = (
  sums: ReadonlyArray<Sums.Sum> | undefined,
  own: Own,
  manifest: BundleManifest | undefined,
  readme: string,
  expected: Expected,
): ReadonlyArray<BundleProblem> => {
  const found: Array<BundleProblem> = []
  const altered = (path: string, detail: string) => void found.push({ kind: "altered", path, detail })
  if (own.sums !== undefined) {
    const root = Sha256.of(own.sums)
    if (sums === undefined) altered(bundleFiles.sums, "a line of it cannot be read")
    if (expected.root !== undefined && root !== expected.root)
      altered(bundleFiles.sums, `its SHA-256 is ${root}, but the incident's folder has ${expected.root}`)
    if (manifest !== undefined && manifest.root !== root)
      altered(bundleFiles.sums, `its SHA-256 is ${root}, but the manifest has ${manifest.root}`)
  }
  if (own.manifest !== undefined && manifest === undefined) altered(bundleFiles.manifest, "it is no manifest")
  if (sums === undefined || manifest === undefined) return found
  const inSums = new Map(sums.map(({ path, sha256 }) => [path, sha256]))
  if (inSums.size !== sums.length) altered(bundleFiles.sums, "it names a file twice")
  const items = new Map(manifest.items.map(({ path, sha256 }) => [path, sha256]))
  for (const path of new Set([...inSums.keys(), ...items.keys()])) {
    if (path === readme || inSums.get(path) === items.get(path)) continue
    altered(bundleFiles.manifest, `${path} is not the same there and in SHA256SUMS`)
  }
  return found
}

const verdictOf = (
  problems: ReadonlyArray<BundleProblem>,
  manifest: BundleManifest | undefined,
): BundleReport["verdict"] => {
  const has = (...kinds: ReadonlyArray<BundleProblem["kind"]>) => problems.some(({ kind }) => kinds.includes(kind))
  if (has("signature")) return "signature"
  if (has("altered", "extra")) return "altered"
  if (has("missing", "unreadable")) return "missing"
  return manifest !== undefined && isComplete(manifest) ? "whole" : "partial"
}

/** Reads every byte of a bundle and compares it with its manifest, its SHA256SUMS and its signatures. */
export const check = Effect.fn("BundleCheck.check")(function* (
  place: BundlePlace,
  expected: Expected,
): Effect.fn.Return<BundleReport, PlaceFailed | BundleMissing> {
  const paths = yield* place.list
  const folder = ownFolder(paths)
  if (folder === undefined) return yield* new BundleMissing({ location: place.location })
  const at = (name: string) => (folder === "" ? name : `${folder}/${name}`)
  const problems: Array<BundleProblem> = []
  const read = Effect.fnUntraced(function* (name: string) {
    const bytes = yield* place.read(at(name))
    if (Option.isNone(bytes)) problems.push({ kind: "missing", path: at(name), detail: "it is not there" })
    return Option.getOrUndefined(bytes)
  })
  const own: Own = {
    key: textOf((yield* read(bundleFiles.key)) ?? new Uint8Array()),
    sums: yield* read(bundleFiles.sums),
    signature: yield* read(bundleFiles.signature),
    manifest: yield* read(bundleFiles.manifest),
    manifestSignature: yield* read(bundleFiles.manifestSignature),
  }
  const manifest = own.manifest === undefined ? undefined : Option.getOrUndefined(decodeManifest(textOf(own.manifest)))
  const sums = own.sums === undefined ? undefined : Sums.parse(textOf(own.sums))
  const held = yield* signer(own, expected.keys)
  problems.push(...(yield* signatureProblems(own, held, manifest, expected.keys)))
  const readme = at(bundleFiles.readme)
  problems.push(...contradictions(sums, own, manifest, readme, expected))

  const files = yield* BundleFiles.compare(place, {
    paths: new Set(paths),
    items: manifest?.items ?? [],
    sums: sums ?? [],
    isOwn,
  })
  problems.push(...files.problems)
  return {
    location: place.location,
    own: folder,
    verdict: verdictOf(problems, manifest),
    manifest,
    root: own.sums === undefined ? undefined : Sha256.of(own.sums),
    keyid: yield* BundleKey.keyidOf(held.pem ?? own.key),
    pinned: held.pem !== undefined && expected.keys.length > 0,
    files: files.files,
    bytes: files.bytes,
    problems,
  }
})

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Content, contentOf, isComplete, isEmpty, type Lists } from "../../../domain/bundle-content.ts"
import { readmeOf } from "../../../domain/bundle-readme.ts"
import { bundleFiles, BundleManifest, partialFolder, prefixOf, type SignedBy } from "../../../domain/bundle.ts"
import * as CanonicalJson from "../../../domain/canonical-json.ts"
import { type BundleName, NotTaken, SourceFile } from "../../../domain/collected.ts"
import { stampOf } from "../../../domain/incident.ts"
import { Pushed } from "../../../domain/pushed.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import * as Sums from "../../../domain/sums.ts"
import * as Durable from "../../durable-files.ts"
import * as BundleKey from "./bundle-key.ts"
import { type IncidentFolder, readDocument, readLines, writeDocument } from "../incident/incidents.ts"
import * as Outcomes from "../incident/outcomes.ts"
import * as Tar from "./tar.ts"

/** Where the bundles lie: a rung of the ladder, and the location of its destination. */
export interface Where {
  readonly name: string
  readonly location: string
}

/** A bundle's own files, in the order in which they are to be put: the manifest is the last. */
export interface MadeBundle {
  readonly bundle: BundleName
  /** What the keys of its objects begin with, before a `/`. */
  readonly prefix: string
  /** The folder of its own files in the bundle; empty where it is complete and they lie at its top. */
  readonly own: string
  readonly complete: boolean
  readonly manifest: BundleManifest
  readonly keyid: Sha256.Sha256
  readonly files: ReadonlyArray<readonly [name: string, bytes: Uint8Array]>
}

/** The names of these files in that order. */
const ownNames = [
  bundleFiles.readme,
  bundleFiles.key,
  bundleFiles.sums,
  bundleFiles.signature,
  bundleFiles.manifestSignature,
  bundleFiles.manifest,
] as const

/** What is to be in a bundle, before it is signed. */
interface Draft {
  readonly bundle: BundleName
  readonly content: Content
  readonly lists: Lists
  readonly where: Where | undefined
  readonly own: string
  readonly beside: string | undefined
}

const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
const decodeManifest = Schema.decodeUnknownOption(Schema.fromJsonString(BundleManifest))

/** What an incident's lists say. */
const listsOf = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const lines = <A>(name: string, schema: Schema.Codec<A, any>) => readLines(folder.path, `${name}.ndjson`, schema)
  return {
    incident: folder.incident,
    collected: yield* Outcomes.read(folder),
    inventory: yield* lines("inventory", SourceFile),
    notTaken: yield* lines("not-taken", NotTaken),
    pushed: yield* lines("pushed", Pushed),
    tars: yield* Tar.list(folder),
  } satisfies Lists
})

/** The files that a key signs and the README that speaks of it: the same for the same draft and key. */
export const compose = (
  manifest: Omit<BundleManifest, "root" | "signedBy">,
  signedBy: SignedBy,
  readme: Omit<Parameters<typeof readmeOf>[0], "manifest" | "signedBy">,
) => {
  const text = bytesOf(readmeOf({ ...readme, manifest, signedBy }))
  const readmePath = `${readme.own === "" ? "" : `${readme.own}/`}${bundleFiles.readme}`
  const sums = bytesOf(Sums.encode([...manifest.items, { path: readmePath, sha256: Sha256.of(text) }]))
  const whole: BundleManifest = { ...manifest, root: Sha256.of(sums), signedBy }
  return { signedBy, readme: text, sums, manifest: whole, manifestBytes: bytesOf(`${CanonicalJson.encode(whole)}\n`) }
}

/** A bundle's own files, signed. */
export const signed = Effect.fnUntraced(function* (
  { manifestBytes, readme, sums }: ReturnType<typeof compose>,
  { pem, sign }: BundleKey.BundleKey,
) {
  return [
    [bundleFiles.readme, readme],
    [bundleFiles.key, bytesOf(pem)],
    [bundleFiles.sums, sums],
    [bundleFiles.signature, yield* sign(sums)],
    [bundleFiles.manifestSignature, yield* sign(manifestBytes)],
    [bundleFiles.manifest, manifestBytes],
  ] satisfies MadeBundle["files"] as MadeBundle["files"]
})

const composeDraft = (draft: Draft, signedBy: SignedBy) => {
  const { beside, bundle, content, lists, own, where } = draft
  const { host, id, opened } = lists.incident
  const place = where === undefined ? {} : { location: where.location, prefix: prefixOf(lists.incident, bundle) }
  const tars = new Set(lists.tars.map(({ tar }) => tar))
  return compose(
    {
      format: "dandori-bundle/1",
      incident: id,
      bundle,
      created: opened,
      host,
      ...content,
      ...(beside === undefined ? {} : { beside }),
    },
    signedBy,
    { ...place, own, tars: content.items.flatMap(({ path }) => (tars.has(path) ? [path] : [])) },
  )
}

const localOf = ({ path }: IncidentFolder, bundle: BundleName) => join(path, "bundles", bundle)

/** `bundles/destination.json`: where the bundles' own files were put, each below its prefix. */
const Places = Schema.Struct({
  rung: Schema.String,
  location: Schema.String,
  evidence: Schema.optionalKey(Schema.String),
  snapshot: Schema.optionalKey(Schema.String),
})
const placesName = "destination.json"

const sameItems = (a: BundleManifest, b: Content): boolean =>
  Sums.encode(a.items) === Sums.encode(b.items) && a.items.every(({ inTar }, at) => inTar === b.items[at]?.inTar)

/**
 * The files that an earlier call signed. They stay as they are where they say the same, whichever key can be used now; and
 * where they completed the bundle at this destination, whatever became of the sources since: objects are never replaced.
 */
const kept = Effect.fnUntraced(function* (folder: IncidentFolder, draft: Draft) {
  const { bundle, content, where } = draft
  const read = (name: string) => {
    const path = join(localOf(folder, bundle), name)
    return Durable.attempt("read", path, () => Fs.readFile(path)).pipe(
      Effect.map((bytes) => new Uint8Array(bytes)),
      Effect.orElseSucceed(() => new Uint8Array()),
    )
  }
  const files: MadeBundle["files"] = yield* Effect.forEach(ownNames, (name) =>
    Effect.map(read(name), (bytes) => [name, bytes] as const),
  )
  const stored = new Map(files)
  const bytesAt = (name: string) => stored.get(name) ?? new Uint8Array()
  const [sums, manifestBytes] = [bytesAt(bundleFiles.sums), bytesAt(bundleFiles.manifest)]
  const pem = textOf(bytesAt(bundleFiles.key))
  const manifest = Option.getOrUndefined(decodeManifest(textOf(manifestBytes)))
  const signedBy = manifest?.signedBy
  if (manifest === undefined || signedBy === undefined) return Option.none()
  const holds =
    signedBy.keyid === (yield* BundleKey.keyidOf(pem)) &&
    (yield* BundleKey.holds(pem, sums, bytesAt(bundleFiles.signature))) &&
    (yield* BundleKey.holds(pem, manifestBytes, bytesAt(bundleFiles.manifestSignature)))
  if (!holds) return Option.none()
  const composed = composeDraft(draft, signedBy)
  const isSame =
    Buffer.compare(composed.sums, sums) === 0 && Buffer.compare(composed.manifestBytes, manifestBytes) === 0
  const places = Option.getOrUndefined(yield* readDocument(join(folder.path, "bundles"), placesName, Places))
  const isSettled =
    places !== undefined &&
    places.location === where?.location &&
    places[bundle] === "" &&
    isComplete(manifest) &&
    isComplete(content) &&
    sameItems(manifest, content)
  return isSame || isSettled ? Option.some({ manifest, signedBy, files }) : Option.none()
})

const anew = Effect.fnUntraced(function* (folder: IncidentFolder, draft: Draft) {
  const key = yield* BundleKey.ofBundles(folder)
  const composed = composeDraft(draft, key.signedBy)
  return { manifest: composed.manifest, signedBy: key.signedBy, files: yield* signed(composed, key) }
})

const makeOne = Effect.fnUntraced(function* (folder: IncidentFolder, draft: Draft) {
  const earlier = yield* kept(folder, draft)
  const { files, manifest, signedBy } = Option.isSome(earlier) ? earlier.value : yield* anew(folder, draft)
  return {
    bundle: draft.bundle,
    prefix: prefixOf(draft.lists.incident, draft.bundle),
    own: draft.own,
    complete: isComplete(draft.content),
    manifest,
    keyid: signedBy.keyid,
    files,
  } satisfies MadeBundle as MadeBundle
})

/**
 * Makes the bundles of an incident from its lists, as far as a destination has confirmed them: the evidence, and the
 * snapshot where there is anything in it. The same lists give the same bytes.
 */
export const make = Effect.fn("Bundle.make")(function* (folder: IncidentFolder, where: Where | undefined) {
  const lists = yield* listsOf(folder)
  const all = (["evidence", "snapshot"] as const).map((bundle) => ({
    bundle,
    content: contentOf(lists, bundle, where?.name),
  }))
  const present = all.filter(({ bundle, content }) => bundle === "evidence" || !isEmpty(content))
  return yield* Effect.forEach(present, ({ bundle, content }) => {
    const other = present.find((each) => each.bundle !== bundle)
    return makeOne(folder, {
      bundle,
      content,
      lists,
      where,
      own: isComplete(content) ? "" : partialFolder(stampOf(folder.call.began)),
      beside: other === undefined ? undefined : prefixOf(lists.incident, other.bundle),
    })
  })
})

/** Removes what a crash left of a copy. */
const clear = Effect.fnUntraced(function* (local: string) {
  const names = yield* Durable.attempt("list", local, () => Fs.readdir(local))
  for (const name of names.filter((found) => !(ownNames as ReadonlyArray<string>).includes(found)))
    yield* Durable.removeFileDurably(join(local, name))
})

/**
 * Keeps copies of the bundles' own files in the incident's folder, `bundles/evidence/` and `bundles/snapshot/`, and in
 * `bundles/destination.json` where they are put: the rung, its location, and for each bundle the folder below its prefix.
 */
export const keep = Effect.fn("Bundle.keep")(function* (
  folder: IncidentFolder,
  bundles: ReadonlyArray<MadeBundle>,
  where: Where | undefined,
) {
  for (const { bundle, files } of bundles) {
    const local = localOf(folder, bundle)
    yield* Durable.makeFolderDurably(local, { mode: 0o700 })
    yield* clear(local)
    for (const [name, bytes] of files) yield* Durable.writeFileDurably(join(local, name), bytes)
  }
  if (where === undefined) return
  const owns = Object.fromEntries(bundles.map(({ bundle, own }) => [bundle, own]))
  const places = { rung: where.name, location: where.location, ...owns }
  yield* writeDocument(join(folder.path, "bundles"), placesName, places)
})

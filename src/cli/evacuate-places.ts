import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { bundleFiles, BundleManifest, prefixOf } from "../domain/bundle.ts"
import { ChosenRung } from "../domain/chosen-rung.ts"
import { Incident } from "../domain/incident.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as Trust from "../ledger/trust.ts"
import * as BundleCheck from "../services/evacuation/bundle/bundle-check.ts"
import * as BundlePlace from "../services/evacuation/bundle/bundle-place.ts"
import { readDocument } from "../services/evacuation/incident/incidents.ts"
import * as ObjectStoreS3 from "../services/object-store-s3.ts"
import * as S3Client from "../services/s3-client.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Hint from "./hint.ts"
import * as InputFile from "./input-file.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import * as Readers from "./project-readers.ts"

/** A bundle to look at, and what its SHA256SUMS has to be where that is known. */
export interface Found {
  readonly place: BundlePlace.BundlePlace
  readonly root?: Sha256
}

const isBucket = (location: string) => /^s3:/i.test(location)
const below = (location: string, prefix: string) => `${location.replace(/\/+$/, "")}/${prefix}`

/** The server of a bucket by the project's configuration; that of the environment where there is none, or it cannot be read. */
const serverOf = Effect.fnUntraced(function* (location: string, name: string | undefined) {
  const found = Option.getOrUndefined(yield* Readers.findOptional)
  if (found === undefined) return { section: {} }
  const loaded = yield* Effect.result(SettingsFiles.load(found.project, found.env))
  if (loaded._tag === "Failure") {
    yield* Output.message(`The server is that of the environment, because: ${loaded.failure.message}`)
    return { section: {} }
  }
  const { evacuation, storage } = loaded.success.sections
  const rung = evacuation.destinations.find(
    (each) => name === each.name || location === each.location || location.startsWith(below(each.location, "")),
  )
  return {
    section: rung?.s3 ?? storage.s3 ?? {},
    ...(rung?.profile === undefined ? {} : { profile: rung.profile }),
  }
})

/** Opens a folder or `s3://bucket/prefix` for reading; `name` is that of its rung, where it is known. */
export const open = Effect.fnUntraced(function* (location: string, name?: string) {
  if (!isBucket(location)) return BundlePlace.ofFolder(resolve(process.cwd(), location))
  const parsed = ObjectStoreS3.parseLocation(location)
  if (typeof parsed === "string") return yield* new Missing({ what: `${location} is no place`, next: parsed })
  const { section, ...options } = yield* serverOf(location, name)
  const client = yield* S3Client.make(section, options)
  return BundlePlace.ofStore(ObjectStoreS3.make(client, section, parsed))
})

const manifestOf = (folder: string) => readDocument(folder, bundleFiles.manifest, BundleManifest)

/** The bundles of an incident's folder, where they were put; they have to be what was signed there. */
const ofIncidentFolder = Effect.fnUntraced(function* (folder: string, incident: Incident) {
  const rung = yield* readDocument(folder, "rung.json", ChosenRung)
  const found: Array<Found> = []
  for (const bundle of ["evidence", "snapshot"] as const) {
    const manifest = yield* manifestOf(join(folder, "bundles", bundle))
    if (Option.isNone(manifest) || Option.isNone(rung)) continue
    const place = yield* open(below(rung.value.location, prefixOf(incident, bundle)), rung.value.rung)
    found.push({ place, root: manifest.value.root })
  }
  if (found.length > 0) return found
  return yield* new Missing({
    what: `The incident in ${folder} has no bundles yet`,
    next: `Go on with its evacuation: ${(yield* Hint.here).files(`evacuate --incident ${incident.id}`)}`,
  })
})

/** The bundles of an incident at a destination: the evidence, and the snapshot that its manifest names. */
const ofDestination = Effect.fnUntraced(function* (location: string, id: string) {
  const place = yield* open(below(location, prefixOf({ id, snapshot: "" }, "evidence")))
  const manifest = yield* BundleCheck.manifestOf(place)
  const beside = /^snapshots\/[^/]+$/.exec(manifest?.beside ?? "")?.[0]
  return beside === undefined ? [{ place }] : [{ place }, { place: yield* open(below(location, beside)) }]
})

/** The bundles that a word and an incident's id stand for. */
export const find = Effect.fnUntraced(function* (where: string, incident: string | undefined) {
  if (incident !== undefined) return (yield* ofDestination(where, incident)) as ReadonlyArray<Found>
  const folder = resolve(process.cwd(), where)
  const opened = isBucket(where) ? Option.none() : yield* readDocument(folder, "incident.json", Incident)
  if (Option.isSome(opened)) return (yield* ofIncidentFolder(folder, opened.value)) as ReadonlyArray<Found>
  return [{ place: yield* open(where) }] satisfies ReadonlyArray<Found> as ReadonlyArray<Found>
})

/** Where the keys came from, for people. */
export type KeySource = "--key" | "configs/base/trust.yaml" | "the bundle itself"

/** The public keys to verify with: `--key`, else what the project at the working folder trusts. */
export const keysOf = Effect.fnUntraced(function* (key: string | undefined) {
  if (key !== undefined) return { keys: [yield* InputFile.read("--key", key)], source: "--key" as KeySource }
  const found = Option.getOrUndefined(yield* Readers.findOptional)
  const keys = found === undefined ? [] : yield* Trust.read(join(found.project, "configs"))
  const source: KeySource = keys.length > 0 ? "configs/base/trust.yaml" : "the bundle itself"
  return { keys, source }
})

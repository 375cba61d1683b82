import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { bundleFiles } from "../../../domain/bundle.ts"
import type { BundleName } from "../../../domain/collected.ts"
import { Sha256 } from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import type { Destination } from "../destination/destination.ts"
import { type IncidentFolder, readDocument } from "../incident/incidents.ts"
import { prefixes } from "../destination/rungs.ts"

/** `bundles/destination.json`, as far as it matters here: where each bundle's own files were put, below its prefix. */
const Places = Schema.Struct({
  rung: Schema.String,
  location: Schema.String,
  evidence: Schema.optionalKey(Schema.String),
  snapshot: Schema.optionalKey(Schema.String),
})

/** A bundle's own file at a destination. */
export interface OwnFile {
  readonly bundle: BundleName
  readonly key: string
  readonly bytes: number
  readonly sha256: Sha256
}

/** The bundles' own files of an incident, as copies of them lie in its folder. */
export interface OwnFiles {
  readonly files: ReadonlyArray<OwnFile>
  /** Bundles whose own files lie apart, since they are not complete. */
  readonly partial: ReadonlyArray<BundleName>
  /** Why they cannot be confirmed. */
  readonly problem?: string
}

const none = (problem: string): OwnFiles => ({ files: [], partial: [], problem })

const filesOf = Effect.fnUntraced(function* (folder: IncidentFolder, bundle: BundleName, own: string) {
  const local = join(folder.path, "bundles", bundle)
  const names = yield* Durable.attempt("list", local, () => Fs.readdir(local))
  const begins = own === "" ? prefixes(folder)[bundle] : `${prefixes(folder)[bundle]}/${own}`
  return yield* Effect.forEach(names.toSorted(), (name) =>
    Effect.map(Durable.digestFile(join(local, name)), (digest): OwnFile => ({
      bundle,
      key: `${begins}/${name}`,
      ...digest,
    })),
  )
})

/** What is to lie at a destination of the bundles' own files. */
export const of = Effect.fnUntraced(function* (folder: IncidentFolder, destination: Destination) {
  const places = Option.getOrUndefined(yield* readDocument(folder.path, "bundles/destination.json", Places))
  if (places === undefined) return none("the bundles have no manifest yet")
  if (places.rung !== destination.name || places.location !== destination.location) {
    return none(`the bundles' manifests are at ${places.location} and not at ${destination.location}`)
  }
  const bundles = (["evidence", "snapshot"] as const).flatMap((bundle) => {
    const own = places[bundle]
    return own === undefined ? [] : [{ bundle, own }]
  })
  return yield* Effect.forEach(bundles, ({ bundle, own }) => filesOf(folder, bundle, own)).pipe(
    Effect.map((files): OwnFiles => ({
      files: files.flat(),
      partial: bundles.flatMap(({ bundle, own }) => (own === "" ? [] : [bundle])),
    })),
    Effect.catch(({ message }) => Effect.succeed(none(message))),
  )
})

const Root = Schema.Struct({ root: Sha256 })

/** The root of a bundle's manifest; undefined where there is none. */
export const rootOf = ({ path }: IncidentFolder, bundle: BundleName) =>
  Effect.map(
    readDocument(join(path, "bundles", bundle), bundleFiles.manifest, Root),
    (found) => Option.getOrUndefined(found)?.root,
  )

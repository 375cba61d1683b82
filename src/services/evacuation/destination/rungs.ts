import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ChosenRung } from "../../../domain/chosen-rung.ts"
import type { Rung as Configured } from "../../../domain/config/evacuation.ts"
import * as SecretReference from "../../../domain/config/secret-reference.ts"
import { parseSize } from "../../../domain/quantity.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import { parseLocation } from "../../object-store-s3.ts"
import { Secrets } from "../../secrets.ts"
import { Settings } from "../../settings.ts"
import { Workspace } from "../../workspace.ts"
import type { Destination, DestinationFailed } from "./destination.ts"
import * as Directory from "./destination-directory.ts"
import * as S3 from "./destination-s3.ts"
import type { IncidentFolder } from "../incident/incidents.ts"
import type { Trial } from "./s3-trial.ts"

/** A small object that a rung is tried with; or what was seen when it was tried before. */
export type Tried = S3.Tried

/** A rung that can be opened. A folder compares what it reads back, and locks nothing. */
export interface Openable {
  readonly name: string
  readonly location: string
  readonly away: boolean
  readonly open: (
    tried: Tried,
  ) => Effect.Effect<Destination & { readonly trial: Trial }, DestinationFailed, Scope.Scope>
}

/** A rung that cannot: its location is not set, or is none. */
export interface Unusable {
  readonly name: string
  readonly problem: string
}

/** A rung before its location is known. */
type Given = Pick<Configured, "name" | "location"> & Partial<Configured>

const folderTrial: Trial = { lock: undefined, digests: false }

/** What the objects of an incident's bundles begin with. */
export const prefixes = ({ incident }: IncidentFolder) => ({
  evidence: `incidents/${incident.id}/evidence`,
  snapshot: `snapshots/${incident.snapshot}`,
})

/** The absolute folder or `s3://` location of a text; or what is wrong with it. */
const normal = (project: string, text: string): { readonly location: string } | { readonly problem: string } => {
  if (/^s3:/i.test(text)) {
    const parsed = parseLocation(text)
    if (typeof parsed === "string") return { problem: parsed }
    return { location: `s3://${parsed.bucket}${parsed.prefix === "" ? "" : `/${parsed.prefix}`}` }
  }
  if (!text.startsWith("file:") && /^[a-z][a-z0-9+.-]+:/i.test(text)) {
    return { problem: "it is neither a folder nor s3://bucket/prefix" }
  }
  const path = URL.canParse(text) ? Result.getOrUndefined(Result.try(() => fileURLToPath(text))) : text
  return path === undefined ? { problem: "it is no file: URL of this machine" } : { location: resolve(project, path) }
}

const resolved = Effect.fnUntraced(function* (location: string) {
  if (SecretReference.parse(location) === undefined) return location
  return Redacted.value(yield* (yield* Secrets).resolve(location))
})

/**
 * The rungs of the ladder in their order: the call's destination, the configuration's bucket for what leaves the machine,
 * its destinations, the sealed folder. One place is one rung: where the configuration describes a place that stands higher
 * already, it is opened as the configuration says. A rung that had another location when something was sent to it has a
 * new name.
 */
export const of = Effect.fnUntraced(function* (folder: IncidentFolder, known: ChosenRung["places"]) {
  const { evacuation, storage } = (yield* Settings).sections
  const { project } = yield* Workspace
  const { destination } = folder.call
  const configured = new Set(evacuation.destinations.map(({ name }) => name))
  const own = (name: string) => (configured.has(name) ? `${name}-rung` : name)
  const given: ReadonlyArray<Given> = [
    ...(destination === undefined ? [] : [{ name: own("given"), location: destination }]),
    ...(storage.offsite === undefined ? [] : [{ name: own("offsite"), location: storage.offsite.bucket }]),
    ...evacuation.destinations,
    { name: own("sealed"), location: evacuation.sealed, away: false },
  ]
  const found = yield* Effect.forEach(given, (rung) =>
    resolved(rung.location).pipe(
      Effect.match({
        onFailure: ({ message }) => ({ ...rung, problem: message }),
        onSuccess: (text) => ({ ...rung, ...normal(project, text) }),
      }),
    ),
  )

  const openable = (rung: Given & { readonly location: string }, described: Partial<Configured>): Openable => {
    const { location } = rung
    const base = described.name ?? rung.name
    const isOther = known[base] !== undefined && known[base] !== location
    const name = isOther ? `${base}-${Sha256.of(location).slice(0, 8)}` : base
    const away = rung.away ?? described.away ?? true
    const bandwidth = parseSize(described.bandwidth ?? "")
    const common = { name, away, ...(bandwidth === undefined ? {} : { bandwidth }) }
    const place = parseLocation(location)
    if (typeof place === "string") {
      const lockRequired = described.lock?.required === true
      return {
        name,
        location,
        away,
        open: (tried) =>
          Effect.map(
            Directory.open({ ...common, root: location, lockRequired }, "probe" in tried ? tried.probe : undefined),
            (opened) => ({ ...opened, trial: folderTrial }),
          ),
      }
    }
    const { lock, profile, s3 = storage.s3 ?? {} } = described
    const options = { ...(profile === undefined ? {} : { profile }), ...(lock === undefined ? {} : { lock }) }
    const { evidence, snapshot } = prefixes(folder)
    return {
      name,
      location,
      away,
      open: (tried) =>
        S3.open({ ...common, ...place, ...options, section: s3 }, tried, [`${evidence}/`, `${snapshot}/`]),
    }
  }

  const seen = new Set<string>()
  return found.flatMap((rung): ReadonlyArray<Openable | Unusable> => {
    if ("problem" in rung) return [{ name: rung.name, problem: rung.problem }]
    if (seen.has(rung.location)) return []
    seen.add(rung.location)
    const described = found.find((each) => configured.has(each.name) && each.location === rung.location)
    return [openable(rung, described ?? {})]
  })
})

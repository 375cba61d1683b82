import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { EvacuationSection, Rung } from "../../../domain/config/evacuation.ts"
import * as SecretReference from "../../../domain/config/secret-reference.ts"
import type { S3Section, StorageSection } from "../../../domain/config/storage.ts"
import { parseLocation } from "../../object-store-s3.ts"
import { Secrets } from "../../secrets.ts"

/** A rung whose location is known: an absolute folder, or `s3://bucket/prefix`. */
export interface Located extends Omit<Rung, "away" | "s3"> {
  readonly away: boolean
  readonly s3: S3Section
}

/** A rung that cannot be opened: its location is not set, or is none. */
export interface Unusable {
  readonly name: string
  readonly problem: string
}

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
 * already, it is as the configuration says.
 */
export const of = Effect.fnUntraced(function* (options: {
  readonly destination: string | undefined
  readonly evacuation: EvacuationSection
  readonly storage: StorageSection
  readonly project: string
}) {
  const { destination, evacuation, project, storage } = options
  const configured = new Set(evacuation.destinations.map(({ name }) => name))
  const own = (name: string) => (configured.has(name) ? `${name}-rung` : name)
  const given: ReadonlyArray<Rung> = [
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
  const seen = new Set<string>()
  return found.flatMap((rung): ReadonlyArray<Located | Unusable> => {
    if ("problem" in rung) return [{ name: rung.name, problem: rung.problem }]
    if (seen.has(rung.location)) return []
    seen.add(rung.location)
    const described = found.find((each) => configured.has(each.name) && each.location === rung.location)
    const { s3 = storage.s3 ?? {}, ...rest } = described ?? rung
    return [{ ...rest, location: rung.location, away: rung.away ?? rest.away ?? true, s3 }]
  })
})

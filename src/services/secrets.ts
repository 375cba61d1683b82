import * as Fs from "node:fs/promises"
import { resolve as resolvePath } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SecretReference from "../domain/config/secret-reference.ts"
import { attempt } from "./durable-files.ts"
import * as SecretForms from "./secret-forms.ts"

/** A secret that something needs is not there, or is too short to be kept out of records. */
export class SecretMissing extends Schema.TaggedError<SecretMissing>()("SecretMissing", {
  reference: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The secret ${this.reference} cannot be used: ${this.reason}`
  }
}

/** Reads secrets by reference and keeps what it read out of texts and values. */
export class Secrets extends Context.Service<
  Secrets,
  {
    /**
     * The secret now; it is read anew each time, so that a rotated one is taken up. One of fewer than 6 characters is
     * refused: it could not be told from ordinary text in what is recorded. A location like `s3://bucket/prefix` is no
     * secret, and `redact` leaves it.
     */
    readonly resolve: (reference: string) => Effect.Effect<Redacted.Redacted<string>, SecretMissing>
    /**
     * Reads the secrets that a JSON value refers to (each string that is a reference), so that they are known to
     * `redact`. Those that are not there are left out.
     */
    readonly prime: (value: unknown) => Effect.Effect<void>
    /** The text with every secret that was resolved so far as `[secret NAME]`, also in its encoded forms. */
    readonly redact: (text: string) => string
    /**
     * A JSON value with every string and key in it redacted; numbers, booleans and nulls stay what they are. The very
     * same value when it holds no secret. Keys that become equal are numbered.
     */
    readonly redactValue: (value: unknown) => unknown
    /** Length of the longest form of a secret that was resolved so far, in characters; 0 before the first. */
    readonly longest: () => number
    /**
     * Where a text can be cut near `at` so that no secret is left in parts, which `redact` could not find: the nearest
     * places before and after. The text has to go on for `longest` characters on both sides, or to end there.
     */
    readonly around: (text: string, at: number) => SecretForms.Span
  }
>()("dandori/services/Secrets") {}

/** A bucket and a prefix: an address that opens nothing, which whoever looks for a copy has to find in the records. */
const isAddress = (value: string): boolean => /^s3:\/\/[a-z0-9.-]+(\/[^?#@]*)?$/.test(value)

const mapped = (value: unknown, redact: (text: string) => string): unknown => {
  if (typeof value === "string") return redact(value)
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) {
    const items = value.map((item) => mapped(item, redact))
    return items.every((item, n) => Object.is(item, value[n])) ? value : items
  }
  let same = true
  const fields = new Map<string, unknown>()
  for (const [key, field] of Object.entries(value)) {
    const safe = { key: redact(key), field: mapped(field, redact) }
    same &&= safe.key === key && Object.is(safe.field, field)
    let free = safe.key
    for (let count = 2; fields.has(free); count++) free = `${safe.key} (${count})`
    fields.set(free, safe.field)
  }
  return same ? value : Object.fromEntries(fields)
}

const referencesIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return SecretReference.parse(value) === undefined ? [] : [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(referencesIn) : []
}

/** Secrets of this process's environment (or the one given) and of files, relative to the project or absolute. */
export const layer = (options: {
  readonly project: string
  readonly environment?: Readonly<Record<string, string | undefined>>
}): Layer.Layer<Secrets> =>
  Layer.sync(Secrets, () => {
    const environment = options.environment ?? process.env
    const forms = new Map<string, string>()
    let longest = 0

    const keep = (reference: string, name: string, value: string) => {
      if (isAddress(value)) return Effect.succeed(Redacted.make(value, { label: name }))
      if (value.length < SecretForms.shortest) {
        const reason = `it has fewer than ${SecretForms.shortest} characters, too short to be kept out of records; use a longer one`
        return Effect.fail(new SecretMissing({ reference, reason }))
      }
      for (const form of SecretForms.formsOf(value)) {
        if (!forms.has(form)) forms.set(form, name)
        SecretForms.remember(form, name)
        longest = Math.max(longest, form.length)
      }
      return Effect.succeed(Redacted.make(value, { label: name }))
    }

    const fromFile = (reference: string, path: string) =>
      attempt("read", path, () => Fs.readFile(resolvePath(options.project, path), "utf8")).pipe(
        Effect.mapError((error) => new SecretMissing({ reference, reason: error.message })),
        Effect.map((text) => text.replace(/\r?\n$/, "")),
        Effect.filterOrFail(
          (text) => text !== "",
          () => new SecretMissing({ reference, reason: `the file ${path} is empty; write the secret into it` }),
        ),
        Effect.flatMap((value) => keep(reference, path, value)),
      )

    const resolve = (reference: string): Effect.Effect<Redacted.Redacted<string>, SecretMissing> => {
      const source = SecretReference.parse(reference)
      if (source === undefined) {
        const reason = "write ${env:NAME} or ${file:path}"
        return Effect.fail(new SecretMissing({ reference: "(not a reference)", reason }))
      }
      if (source.kind === "file") return fromFile(reference, source.path)
      return Effect.suspend(() => {
        const value = environment[source.name]
        if (value !== undefined && value !== "") return keep(reference, source.name, value)
        const reason = `set the environment variable ${source.name}, which has no value`
        return Effect.fail(new SecretMissing({ reference, reason }))
      })
    }

    const redact = (text: string): string => SecretForms.replaced(text, forms)

    return Secrets.of({
      resolve,
      prime: (value) =>
        Effect.suspend(() =>
          Effect.forEach(new Set(referencesIn(value)), (reference) => Effect.ignore(resolve(reference)), {
            discard: true,
          }),
        ),
      redact,
      redactValue: (value) => (forms.size === 0 ? value : mapped(value, redact)),
      longest: () => longest,
      around: (text, at) => SecretForms.around(text, at, forms, longest),
    })
  })

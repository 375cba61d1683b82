import * as Fs from "node:fs/promises"
import { resolve } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SecretReference from "../domain/config/secret-reference.ts"
import { attempt } from "./durable-files.ts"

/** A secret that something needs is not there. */
export class SecretMissing extends Schema.TaggedError<SecretMissing>()("SecretMissing", {
  reference: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The secret ${this.reference} is missing: ${this.reason}`
  }
}

/** Reads secrets by reference and keeps what it read out of texts. */
export class Secrets extends Context.Service<
  Secrets,
  {
    /** The secret now; it is read anew each time, so that a rotated one is taken up. */
    readonly resolve: (reference: string) => Effect.Effect<Redacted.Redacted<string>, SecretMissing>
    /** The text with every secret that was resolved so far as `[secret NAME]`, also in its encoded forms. */
    readonly redact: (text: string) => string
  }
>()("dandori/services/Secrets") {}

/** Shorter parts of a secret (a line, a password in a URL) would match ordinary text. */
const shortestPart = 6

/** Spans of the text that are a form of a known secret, overlapping ones joined under both names. */
const covered = (text: string, forms: ReadonlyMap<string, string>) => {
  const spans: Array<{ from: number; to: number; names: Set<string> }> = []
  for (const [form, name] of forms) {
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
      spans.push({ from: at, to: at + form.length, names: new Set([name]) })
    }
  }
  const joined: typeof spans = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1)
    if (last === undefined || span.from >= last.to) joined.push(span)
    else {
      last.to = Math.max(last.to, span.to)
      for (const name of span.names) last.names.add(name)
    }
  }
  return joined
}

/** What a secret looks like in logs: itself, its encodings, its lines, the password of a URL. */
const formsOf = (value: string): ReadonlyArray<string> => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const password = url === undefined ? [] : [url.password, decodeSafely(url.password)]
  const lines = value.split(/\r?\n/).filter((line) => line !== value && !line.startsWith("-----"))
  const parts = [...password, ...lines].filter((part) => part.length >= shortestPart)
  return [value, ...parts].flatMap((part) => [
    part,
    JSON.stringify(part).slice(1, -1),
    encodeURIComponent(part.toWellFormed()),
    Buffer.from(part).toString("base64").replace(/=+$/, ""),
  ])
}

const decodeSafely = (text: string): string => (/%(?![0-9A-Fa-f]{2})/.test(text) ? text : decodeURIComponent(text))

/** Secrets of this process's environment (or the one given) and of files, relative to the project or absolute. */
export const layer = (options: {
  readonly project: string
  readonly environment?: Readonly<Record<string, string | undefined>>
}): Layer.Layer<Secrets> =>
  Layer.sync(Secrets, () => {
    const environment = options.environment ?? process.env
    const forms = new Map<string, string>()

    const keep = (name: string, value: string) => {
      for (const form of formsOf(value)) if (!forms.has(form)) forms.set(form, name)
      return Redacted.make(value, { label: name })
    }

    const fromFile = (reference: string, path: string) =>
      attempt("read", path, () => Fs.readFile(resolve(options.project, path), "utf8")).pipe(
        Effect.mapError((error) => new SecretMissing({ reference, reason: error.message })),
        Effect.map((text) => text.replace(/\r?\n$/, "")),
        Effect.filterOrFail(
          (text) => text !== "",
          () => new SecretMissing({ reference, reason: `the file ${path} is empty; write the secret into it` }),
        ),
        Effect.map((value) => keep(path, value)),
      )

    return Secrets.of({
      resolve: (reference) => {
        const source = SecretReference.parse(reference)
        if (source === undefined) {
          return Effect.fail(
            new SecretMissing({ reference: "(not a reference)", reason: "write ${env:NAME} or ${file:path}" }),
          )
        }
        if (source.kind === "file") return fromFile(reference, source.path)
        const value = environment[source.name]
        return value === undefined || value === ""
          ? Effect.fail(
              new SecretMissing({
                reference,
                reason: `set the environment variable ${source.name}, which has no value`,
              }),
            )
          : Effect.sync(() => keep(source.name, value))
      },
      redact: (text) => {
        let redacted = ""
        let at = 0
        for (const { from, names, to } of covered(text, forms)) {
          redacted += `${text.slice(at, from)}${[...names].map((name) => `[secret ${name}]`).join("")}`
          at = to
        }
        return redacted + text.slice(at)
      },
    })
  })

import * as Schema from "effect/Schema"

const form = /^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^}\0]+)\}$/

const name = "SecretReference"

/** Where a secret is: `${env:NAME}` or `${file:path}` (project-relative or absolute). Never the secret itself. */
export const SecretReference = Schema.String.check(
  Schema.isPattern(form, {
    message: "must be a reference like ${env:NAME} or ${file:path}; a secret is never written in a configuration file",
  }),
).annotate({ identifier: name })
export type SecretReference = typeof SecretReference.Type

/** True for the JSON Schema of a secret, and of anything that holds one. */
export const isIn = (schema: unknown): boolean =>
  typeof schema === "object" &&
  schema !== null &&
  (("x-name" in schema && schema["x-name"] === name) || Object.values(schema).some(isIn))

/** What a reference points to. */
export type SecretSource =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string }

/** The source that a reference names; undefined when the text is no reference. */
export const parse = (text: string): SecretSource | undefined => {
  const match = form.exec(text)
  if (match === null) return undefined
  const at = match[1].indexOf(":")
  const rest = match[1].slice(at + 1)
  return match[1].startsWith("env:") ? { kind: "env", name: rest } : { kind: "file", path: rest }
}

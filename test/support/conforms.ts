import { Ajv2020 } from "ajv/dist/2020.js"
import formats from "ajv-formats"

const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, strictTypes: false })
formats.default(ajv)

/** What is wrong with a value by a JSON Schema (2020-12), formats included; empty when it conforms. */
export const problems = (schema: object, value: unknown): ReadonlyArray<string> => {
  const validate = ajv.compile(schema)
  validate(value)
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [instancePath, message, JSON.stringify(params)].join(" "),
  )
}

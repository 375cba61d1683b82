import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Located = Schema.Struct({ location: Schema.String })
const decode = Schema.decodeUnknownOption(Located)

const placeOf = (project: string, text: string): string => {
  if (/^s3:/i.test(text)) return text.replace(/\/+$/, "")
  return resolve(project, text.startsWith("file:") && URL.canParse(text) ? fileURLToPath(text) : text)
}

/**
 * Whether what a push answered says that it went to the destination that the call names: then a place on this machine is
 * where the user wanted it.
 */
export const isNamed = (project: string, named: string | undefined, push: unknown): boolean => {
  const answer = decode(push)
  if (named === undefined || named === "" || Option.isNone(answer)) return false
  return placeOf(project, named) === placeOf(project, answer.value.location)
}

/**
 * Quarantine marks: `__quarantine.json` beside a partition, `<file>.__quarantine.json` beside another file. The gate `dq`
 * leaves one when it fails; a person may leave one of their own, with `who` and a reason, to hold the data back.
 */
import { basename, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as InputFiles from "./input-files.ts"

/** Who the gates' own marks are by. */
export const gateName = "dandori task type dq"

/** A mark as far as it can be read; a gate's own names the bytes and the policy that it was given under. */
export const Mark = Schema.Struct({
  who: Schema.String,
  sha256: Schema.optionalKey(Schema.String),
  policy: Schema.optionalKey(Schema.String),
})
export type Mark = typeof Mark.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Mark))

/** Where the mark of a partition's file stands. */
export const ofPartition = (path: string): string => join(dirname(path), "__quarantine.json")

/** Where the mark of any other file stands. */
export const ofFile = (path: string): string => join(dirname(path), `${basename(path)}.__quarantine.json`)

/** The mark at a path, if there is one. One that cannot be read is by nobody we know, and holds like a person's. */
export const read = Effect.fnUntraced(function* (path: string) {
  if (!(yield* InputFiles.exists(path))) return Option.none<Mark>()
  const text = yield* InputFiles.readText(path)
  return Option.some(Option.getOrElse(decode(text), (): Mark => ({ who: "somebody" })))
})

/** True when a mark holds these bytes back: a person's always, a gate's own only the bytes that it judged. */
export const holds = ({ sha256, who }: Mark, bytes: string): boolean => who !== gateName || sha256 === bytes

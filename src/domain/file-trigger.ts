import * as Schema from "effect/Schema"
import type { Scope } from "./expression/cel.ts"
import type { Complete, ListedFile } from "./file-arrival.ts"
import type { JsonSchema } from "./json-schema.ts"
import * as Sha256 from "./sha256.ts"
import type { Facts } from "./trigger-params.ts"

/** How it shows that a file is complete: as it has not changed for so long (milliseconds), by its name, or by a marker. */
export const CompleteBy = Schema.Union([Schema.Int, Schema.Literal("rename"), Schema.Struct({ marker: Schema.String })])

/**
 * Files whose arrival starts a run each. `path` is a pattern, relative to the project or absolute. Values of `params` may
 * hold `${{ … }}` expressions over `run.file`.
 */
export const FileTrigger = Schema.Struct({
  path: Schema.String,
  complete: CompleteBy,
  params: Schema.Record(Schema.String, Schema.Unknown),
})
export type FileTrigger = typeof FileTrigger.Type

/** What starts a pipeline beside its schedule and people. */
export const Triggers = Schema.Struct({ files: FileTrigger })
export type Triggers = typeof Triggers.Type

/** What `complete` means to a watch. */
export const completeOf = (complete: FileTrigger["complete"]): Complete => {
  if (complete === "rename") return { by: "rename" }
  if (typeof complete === "number") return { by: "stability", millis: complete }
  return { by: "marker", suffix: complete.marker }
}

const isPlain = (part: string): boolean => !/[*?[\]{}!\\]/.test(part)

/** The folder that a path's pattern begins in (`.` for the project itself), and the pattern below it. */
export const partsOf = (path: string): { readonly folder: string; readonly pattern: string } => {
  const parts = path.split("/")
  const first = parts.slice(0, -1).findIndex((part) => !isPlain(part))
  const at = first === -1 ? parts.length - 1 : first
  const folder = parts.slice(0, at).join("/")
  return { folder: folder === "" ? (path.startsWith("/") ? "/" : ".") : folder, pattern: parts.slice(at).join("/") }
}

/** Why a path cannot be watched; undefined where it can. */
export const problemOf = (path: string): string | undefined => {
  if (path.includes("${{")) return "is watched all the time, so it can hold no expression"
  if (/[\0\n]/.test(path)) return "holds a character that no path should have"
  const parts = path.split("/")
  if (parts.includes("..")) return 'goes up with "..", and a watch stays below its folder'
  if (path.endsWith("/")) return `names a folder; name the files in it: "${path}*"`
  if (parts.includes(".") || parts.slice(1).includes("")) {
    return "has an empty part; write it like incoming/*.csv"
  }
  return undefined
}

/** `run.file` in expressions: its path (relative to the project where it lies in it), its name, and its bytes. */
export interface FileFacts {
  readonly path: string
  readonly name: string
  readonly size: number
}

const record = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
})

/** What expressions in the params of files may name. */
export const scope: Scope = {
  run: record({ file: record({ path: { type: "string" }, name: { type: "string" }, size: { type: "integer" } }) }),
}

/** What expressions in the params of files give for a file. */
export const factsFor = (file: FileFacts): Facts => ({ scope, values: { run: { file } } })

/** What the run of a file is named after: `key` is that of its arrival. */
export interface Named {
  readonly env: string
  readonly pipeline: string
  readonly key: Sha256.Sha256
  readonly file: ListedFile
}

/** The last moment that a UUIDv7 can hold. */
const latest = 2n ** 48n - 1n

/**
 * The id of the run of a file: a UUIDv7 (RFC 9562, section 5.7) of the time of its content whose other 74 bits are a digest
 * of what it is named after. The same arrival always has the same one, so that its run cannot be created twice.
 */
export const runOf = ({ env, file, key, pipeline }: Named): string => {
  const digest = Sha256.of(`dandori file ${env}/${pipeline} ${key}\n`)
  const millis = BigInt(file.modified) / 1_000_000n
  const time = (millis < 0n ? 0n : millis > latest ? latest : millis).toString(16).padStart(12, "0")
  const variant = (8 + (Number.parseInt(digest[3], 16) & 3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`
}

import * as FileTrigger from "../domain/file-trigger.ts"
import { parseDuration } from "../domain/quantity.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type LocatedEntry, entryOf, get, kindOf } from "./located.ts"
import * as TriggerParams from "./trigger-params.ts"

const path = "on.files"

const ways = "10s (its size and time have not changed for so long), rename (at once), or { marker: .done }"

const readPath = (reader: FieldReader, files: LocatedEntry): string | undefined => {
  const node = get(files.value, "path")
  if (node === undefined) {
    return reader.report(files.keyAt, path, "files has no path: which files? Like path: incoming/*.csv.")
  }
  const text = reader.text(files.value, "path", path)
  if (text === undefined) return undefined
  const problem = FileTrigger.problemOf(text)
  if (problem !== undefined) {
    return reader.report(node.at, `${path}.path`, `${JSON.stringify(text)} ${problem}.`)
  }
  return text
}

const readMarker = (reader: FieldReader, complete: LocatedEntry): FileTrigger.FileTrigger["complete"] | undefined => {
  const place = `${path}.complete`
  reader.map(complete.value, place, "complete", ["marker"])
  const node = get(complete.value, "marker")
  if (node === undefined) {
    return reader.report(complete.keyAt, place, "complete has no marker: what ends its name? Like marker: .done.")
  }
  const marker = reader.text(complete.value, "marker", place)
  if (marker === undefined) return undefined
  if (!/[/\0\n]|\$\{\{/.test(marker)) return { marker }
  return reader.report(node.at, `${place}.marker`, "marker is the end of a file's name, like .done.")
}

const readComplete = (reader: FieldReader, files: LocatedEntry): FileTrigger.FileTrigger["complete"] | undefined => {
  const entry = entryOf(files.value, "complete")
  if (entry === undefined) {
    return reader.report(files.keyAt, path, `files has no complete: when is a file complete? ${ways}.`)
  }
  const node = entry.value
  if (node.kind === "map") return readMarker(reader, entry)
  if (node.kind === "scalar" && node.value === "rename") return "rename"
  if (node.kind === "scalar" && typeof node.value === "string" && parseDuration(node.value) !== undefined) {
    return reader.limit(files.value, "complete", path)
  }
  const given = node.kind === "scalar" ? JSON.stringify(node.value) : kindOf(node)
  return reader.report(node.at, `${path}.complete`, `complete must be ${ways}, not ${given}.`)
}

/**
 * Reads `on`, in the one form that plans hold; undefined without it, or where it makes no sense. Every mistake goes to the
 * reader. Comes after the check of the params' own schemas.
 */
export const read = (reader: FieldReader, definition: Definition): FileTrigger.Triggers | undefined => {
  const entry = definition.on
  if (entry === undefined || reader.map(entry.value, "on", "on", ["files"]) === undefined) return undefined
  const files = entryOf(entry.value, "files")
  if (files === undefined) {
    return reader.report(entry.keyAt, "on", "on has no files: what starts the pipeline? Like files: { path: … }.")
  }
  if (reader.map(files.value, path, "files", ["path", "complete", "params"]) === undefined) return undefined
  const pattern = readPath(reader, files)
  const complete = readComplete(reader, files)
  const params = TriggerParams.read(reader, definition, {
    path,
    section: files,
    scope: FileTrigger.scope,
    only: "The params of files may name run.file only.",
    giver: "a file",
    sample: undefined,
  })
  if (pattern === undefined || complete === undefined) return undefined
  return { files: { path: pattern, complete, params } }
}

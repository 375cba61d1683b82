/**
 * Compares two trainings of a model by their files (05-tasks.md, `rerun --diff`). `provenance.json` is left out: it is
 * the only file with times and run ids.
 */
import { parse } from "yaml"
import { fileNames } from "./model-bundle.ts"

/** The files of one version: texts by name. */
export type Texts = Readonly<Record<string, string>>

/** A field whose values differ: the file, the path in it (`a.b[3]`), both values (undefined is absent). */
export interface Difference {
  readonly file: string
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/**
 * `bit-identical`: the same bytes; `metric-identical`: other bytes, the same metrics; `different`: other metrics too.
 * `first` is the first field that differs, of the metrics where they differ; without it the values are the same and only
 * the text is not (then `file` tells where).
 */
export type Comparison =
  | { readonly verdict: "bit-identical" }
  | { readonly verdict: "metric-identical" | "different"; readonly file: string; readonly first?: Difference }

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const firstDifference = (
  before: unknown,
  after: unknown,
  path: string,
): { readonly path: string; readonly before: unknown; readonly after: unknown } | undefined => {
  if (Object.is(before, after)) return undefined
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length)
    for (let i = 0; i < length; i++) {
      const found = firstDifference(before[i], after[i], `${path}[${i}]`)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (isRecord(before) && isRecord(after)) {
    for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
      const found = firstDifference(before[key], after[key], path === "" ? key : `${path}.${key}`)
      if (found !== undefined) return found
    }
    return undefined
  }
  return { path, before, after }
}

const inFile = (file: string, before: string | undefined, after: string | undefined): Difference | undefined => {
  if (before === undefined || after === undefined) return { file, path: "", before, after }
  const read = (text: string): unknown => (file.endsWith(".yaml") ? parse(text) : JSON.parse(text))
  const found = firstDifference(read(before), read(after), "")
  return found === undefined ? undefined : { file, ...found }
}

/** Compares two versions' files; metrics first, then the others by name. */
export const compare = (before: Texts, after: Texts): Comparison => {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => name !== fileNames.provenance)
    .sort((x, y) => Number(y === fileNames.metrics) - Number(x === fileNames.metrics) || (x < y ? -1 : 1))
  const changed = names.filter((name) => before[name] !== after[name])
  if (changed.length === 0) return { verdict: "bit-identical" }
  const [file] = changed
  const differences = changed.flatMap((name) => inFile(name, before[name], after[name]) ?? [])
  const first = differences.at(0)
  const verdict = first?.file === fileNames.metrics ? "different" : "metric-identical"
  return first === undefined ? { verdict, file } : { verdict, file: first.file, first }
}

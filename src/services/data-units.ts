import * as Fs from "node:fs/promises"
import { basename, dirname, join, relative } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type DataClass, endOfMonth } from "../domain/data-retention.ts"
import { Month, Symbol, Timeframe } from "../domain/names.ts"
import * as Sha256 from "../domain/sha256.ts"
import type { DataRoot } from "./data-roots.ts"
import * as Durable from "./durable-files.ts"

/**
 * What is kept or goes as one: a partition's folder below `canonical_root`, an entry of `snapshots_root`, a file of the
 * others. `path` and `root` are absolute.
 */
export interface Unit {
  readonly class: DataClass
  readonly path: string
  readonly root: string
}

/**
 * A unit as it lies there: its files by their names in it, of which `data` are the paths of those whose bytes count, and when
 * it was put last (milliseconds since the epoch); `odd` says what is in it that is not its own.
 */
export interface Looked {
  readonly files: ReadonlyArray<string>
  readonly data: ReadonlyArray<string>
  readonly bytes: number
  readonly time: number
  readonly odd?: string
}

/** What cannot be purged, and why. */
export interface Odd {
  readonly path: string
  readonly why: string
}

/**
 * Everything below the roots. `remnants` is what an interrupted removal left, `hollow` are folders of canonical data with
 * nothing in them, `odd` are folders that cannot be looked into.
 */
export interface Found {
  readonly units: ReadonlyArray<Unit>
  readonly remnants: ReadonlyArray<Unit>
  readonly hollow: ReadonlyArray<Unit>
  readonly odd: ReadonlyArray<Odd>
}

const isTimeframe = Schema.is(Timeframe)
const isSymbol = Schema.is(Symbol)
const isMonth = Schema.is(Month)

const dataFile = /^canonical\.(parquet|json)$/
/** What `seed` and `dq` put into a partition's folder, and what of it a process left that died while it wrote. */
const ofPartition =
  /^(canonical\.(parquet|json)|dq_expectations\.yaml|__meta\.json|__quarantine\.json|\.(canonical\.(parquet|json)|dq_expectations\.yaml|__meta\.json|__quarantine\.json)\.[0-9a-f-]{36}\.tmp)$/

/** A folder is renamed to such a name beside it, and then removed: as others see it, it is there or gone. */
const remnant = /^\.going-[0-9a-f]{32}$/
export const asideOf = (path: string): string => join(dirname(path), `.going-${Sha256.of(path).slice(0, 32)}`)

const entriesOf = (folder: string) =>
  Durable.attempt("list", folder, () => Fs.readdir(folder, { withFileTypes: true })).pipe(
    Effect.map((entries) => entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))),
    Effect.catchIf(
      (error) => error.code === "ENOENT" || error.code === "ENOTDIR",
      () => Effect.succeed([]),
    ),
  )

interface Collected {
  readonly units: Array<Unit>
  readonly remnants: Array<Unit>
  readonly hollow: Array<Unit>
  readonly odd: Array<Odd>
}

/** As `entriesOf`; of a folder that cannot be looked into it is noted. */
const listed = (folder: string, found: Collected) =>
  entriesOf(folder).pipe(
    Effect.catch(({ message }) => {
      found.odd.push({ path: folder, why: message })
      return Effect.undefined
    }),
  )

const partitions = Effect.fnUntraced(function* (root: string, found: Collected) {
  const folders = Effect.fnUntraced(function* (path: string, isName: (name: string) => boolean) {
    const entries = yield* listed(path, found)
    if (entries === undefined) return []
    if (entries.length === 0 && path !== root) found.hollow.push({ class: "canonical", path, root })
    for (const { name } of entries.filter((one) => remnant.test(one.name))) {
      found.remnants.push({ class: "canonical", path: join(path, name), root })
    }
    return entries.filter((one) => one.isDirectory() && isName(one.name)).map(({ name }) => join(path, name))
  })
  for (const timeframe of yield* folders(root, isTimeframe)) {
    for (const symbol of yield* folders(timeframe, isSymbol)) {
      for (const path of yield* folders(symbol, isMonth)) {
        const unit: Unit = { class: "canonical", path, root }
        const entries = yield* listed(path, found)
        if (entries !== undefined) (entries.length === 0 ? found.hollow : found.units).push(unit)
      }
    }
  }
})

/** What begins with a dot is no data: a lock, or what somebody writes just now. */
const isHidden = (name: string) => name.startsWith(".")

const filesBelow: (
  kind: DataClass,
  folder: string,
  root: string,
  found: Collected,
) => Effect.Effect<void, Durable.FileFailed> = Effect.fnUntraced(function* (kind, folder, root, found) {
  for (const entry of (yield* listed(folder, found)) ?? []) {
    if (isHidden(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(kind, path, root, found)
    else if (entry.isFile()) found.units.push({ class: kind, path, root })
  }
})

const snapshots = Effect.fnUntraced(function* (root: string, found: Collected) {
  for (const entry of (yield* listed(root, found)) ?? []) {
    const path = join(root, entry.name)
    const unit: Unit = { class: "snapshots", path, root }
    if (remnant.test(entry.name)) found.remnants.push(unit)
    else if (!isHidden(entry.name)) found.units.push(unit)
  }
})

/** When the month of a partition's folder is over, milliseconds since the epoch; 0 for a folder above those. */
export const monthEnd = ({ path }: Unit): number => (isMonth(basename(path)) ? endOfMonth(basename(path)) : 0)

/** All units below the roots, by path. No link is followed; of what is no file and no folder only snapshots tell. */
export const find = Effect.fn("DataUnits.find")(function* (roots: ReadonlyArray<DataRoot>) {
  const found: Collected = { units: [], remnants: [], hollow: [], odd: [] }
  for (const { class: kind, path } of roots) {
    if (kind === "canonical") yield* partitions(path, found)
    else if (kind === "snapshots") yield* snapshots(path, found)
    else yield* filesBelow(kind, path, path, found)
  }
  return found satisfies Found
})

const statOf = (path: string) => Durable.attempt("look at", path, () => Fs.lstat(path))
type Stat = Effect.Success<ReturnType<typeof statOf>>

interface Part {
  readonly path: string
  readonly stat: Stat
}

/** Every file, and whatever else is no folder, of a unit. */
const partsOf: (path: string) => Effect.Effect<ReadonlyArray<Part>, Durable.FileFailed> = Effect.fnUntraced(
  function* (path) {
    const stat = yield* statOf(path)
    if (!stat.isDirectory()) return [{ path, stat }]
    const entries = yield* entriesOf(path)
    return (yield* Effect.forEach(entries, ({ name }) => partsOf(join(path, name)))).flat()
  },
)

/** When a file came to lie there as it does: who copies or restores it may give it the time of modification that it had. */
const putAt = ({ ctimeMs, mtimeMs }: Stat): number => Math.max(ctimeMs, mtimeMs)
const newest = (parts: ReadonlyArray<Part>): number => parts.reduce((time, { stat }) => Math.max(time, putAt(stat)), 0)

/** Looks at a unit, or at what was put aside of it; fails with ENOENT where it is not there any more. */
export const look = Effect.fnUntraced(function* (unit: Unit, path = unit.path) {
  const { class: kind } = unit
  const own = yield* statOf(path)
  const parts = yield* partsOf(path)
  const inside = (part: Part) => relative(path, part.path) || basename(path)
  const isData = (part: Part) => kind !== "canonical" || dataFile.test(inside(part))
  const isOdd = (part: Part) => !part.stat.isFile() || (kind === "canonical" && !ofPartition.test(inside(part)))
  const odd = parts.find(isOdd)
  const folder = kind === "canonical" ? (yield* entriesOf(path)).find((entry) => entry.isDirectory()) : undefined
  const data = parts.filter(isData)
  const put = data.length > 0 ? newest(data) : parts.length > 0 ? newest(parts) : putAt(own)
  const what =
    odd === undefined ? folder?.name : `${inside(odd)}${odd.stat.isSymbolicLink() ? ", a symbolic link" : ""}`
  return {
    files: parts.map((part) => relative(path, part.path)),
    data: data.map((part) => part.path),
    bytes: parts.reduce((sum, { stat }) => sum + stat.size, 0),
    time: kind === "canonical" ? Math.max(put, monthEnd(unit)) : put,
    ...(what === undefined ? {} : { odd: `there is something in it that is not its own: ${what}` }),
  } satisfies Looked
})

/** Whether two looks at a unit, here or put aside, have seen the same files, of the same size and put at the same time. */
export const isSame = (one: Looked, other: Looked): boolean =>
  one.time === other.time && one.bytes === other.bytes && one.files.join("\0") === other.files.join("\0")

/** A unit with the digests of its data, and one over all of them by their names. */
export interface Digested extends Looked {
  readonly digests: ReadonlyArray<string>
  readonly digest: string
}

/** Digests the data of a unit as it was looked at. */
export const digest = Effect.fnUntraced(function* ({ path }: Unit, looked: Looked) {
  const digests: Array<string> = []
  for (const file of looked.data) digests.push((yield* Durable.digestFile(file)).sha256)
  const lines = looked.data.map((file, at) => `${digests[at]} ${relative(path, file)}\n`)
  return { ...looked, digests, digest: Sha256.of(lines.join("")) } satisfies Digested
})

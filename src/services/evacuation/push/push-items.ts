import * as Fs from "node:fs/promises"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import { SourceFile } from "../../../domain/collected.ts"
import type { Pushed } from "../../../domain/pushed.ts"
import * as Durable from "../../durable-files.ts"
import { type IncidentFolder, readLines } from "../incident/incidents.ts"
import { placeOf } from "./pushed-journal.ts"
import { prefixes } from "../destination/rungs.ts"

/** Something to push: a source and the key that it gets. */
export interface Item {
  readonly file: SourceFile
  readonly key: string
}

/** The collector of the captures' tars. */
export const captures = "captures"

const tarName = /^evidence(-\d+)?\.tar$/

/** The tars of captures, in the order in which they were made; they are sources like files are. */
const tars = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const bundles = join(folder.path, "bundles")
  const names = yield* Durable.attempt("list", bundles, () => Fs.readdir(bundles)).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed<ReadonlyArray<string>>([]),
    ),
  )
  const inOrder = names.filter((name) => tarName.test(name)).toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1))
  return yield* Effect.forEach(inOrder, (name) =>
    Effect.map(
      Durable.attempt("look at", join(bundles, name), () => Fs.lstat(join(bundles, name))),
      ({ gid, mode, mtimeMs, size, uid }): SourceFile => ({
        collector: captures,
        to: "evidence",
        value: 0,
        source: join(bundles, name),
        path: basename(name),
        bytes: size,
        mtime: Math.floor(mtimeMs),
        mode: mode & 0o7777,
        uid,
        gid,
        redact: false,
      }),
    ),
  )
})

/** What is to be pushed, the most valuable first: the tars of captures, then the inventory. One place in a bundle is one item. */
export const of = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const listed = yield* readLines(folder.path, "inventory.ndjson", SourceFile)
  const files = [...(yield* tars(folder)), ...listed.toSorted((a, b) => a.value - b.value)]
  const begins = prefixes(folder)
  const seen = new Map<string, Item>()
  for (const file of files) {
    const place = placeOf(file)
    if (!seen.has(place)) seen.set(place, { file, key: `${begins[file.to]}/${file.path}` })
  }
  return [...seen.values()]
})

/** How a source looks now; undefined where it cannot be looked at. */
export const looks = ({ source, sourceBytes }: SourceFile): Effect.Effect<Pushed["seen"] | undefined> => {
  const path = sourceBytes === undefined ? source : Buffer.from(sourceBytes, "base64")
  return Durable.attempt("look at", source, () => Fs.lstat(path, { bigint: true })).pipe(
    Effect.map(({ ino, mtimeNs, size }) => ({ bytes: Number(size), mtimeNs: String(mtimeNs), inode: String(ino) })),
    Effect.orElseSucceed(() => undefined),
  )
}

/** True where a source looks as it did. */
export const isSame = (a: Pushed["seen"], b: Pushed["seen"]): boolean =>
  a.bytes === b.bytes && a.mtimeNs === b.mtimeNs && a.inode === b.inode

import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { type Entry, data as eventData } from "../domain/event.ts"
import { CacheIndex } from "../services/cache-index.ts"
import { Workspace } from "../services/workspace.ts"
import { LedgerFailed } from "./errors.ts"
import * as Receipts from "./receipts.ts"
import * as StreamName from "./stream-name.ts"

/** Folders of the home that have a folder of each run: its logs, scratch folders, reports by name, and requests. */
export const folders = ["logs", "scratch", "reports", "inbox"] as const

const isGate = Schema.is(eventData["dev.dandori.gate.passed.v1"])

/** Bytes of what a run has left in its folders; reports by name are links to artifacts. */
export const bytesOf = Effect.fnUntraced(function* (run: string) {
  const fs = yield* FileSystem.FileSystem
  const { home } = yield* Workspace
  let bytes = 0
  for (const folder of folders) {
    if (folder === "reports") continue
    const at = join(home, folder, run)
    for (const name of yield* Effect.orElseSucceed(fs.readDirectory(at, { recursive: true }), () => [])) {
      const info = yield* Effect.option(fs.stat(join(at, name)))
      if (info._tag === "Some" && info.value.type === "File") bytes += Number(info.value.size)
    }
  }
  return bytes
})

/** The digests that a run's gates have judged. */
export const subjectsOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<string> =>
  entries.flatMap(({ data, type }) =>
    type.startsWith("dev.dandori.gate.") && isGate(data) ? data.gate.subjects.map(({ sha256 }) => sha256) : [],
  )

/** The digests of the receipts that a run's events name. */
export const receiptsOf = (entries: ReadonlyArray<Entry>): ReadonlySet<string> =>
  new Set(entries.flatMap(({ data }) => Receipts.namedBy(data).map(({ sha256 }) => sha256)))

/**
 * Removes what a run has left below the home beside its stream and the artifacts: its folders, its places in the index of
 * receipts, and in that of the cache. What is gone already changes nothing.
 */
export const remove = Effect.fn("RunLeftovers.remove")(function* (run: string, entries: ReadonlyArray<Entry>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const cache = yield* CacheIndex
  const { home } = yield* Workspace
  const gone = (at: string) => fs.remove(at, { recursive: true, force: true })
  yield* Effect.gen(function* () {
    for (const folder of folders) yield* gone(join(home, folder, run))
    for (const subject of new Set(subjectsOf(entries))) {
      const folder = Receipts.indexFolder(path, home, subject)
      for (const receipt of receiptsOf(entries)) yield* gone(join(folder, `${receipt}.json`))
    }
  }).pipe(Effect.mapError(({ message }) => new LedgerFailed({ stream: StreamName.ofRun(run), reason: message })))
  for (const { data } of entries) {
    const { cacheKey } = data as { readonly cacheKey?: unknown }
    if (typeof cacheKey === "string") yield* cache.forget(cacheKey, run)
  }
})

/** Removes folders that are here of runs which another machine has purged: their streams are gone, and tell nothing any more. */
export const removeFoldersOf = Effect.fn("RunLeftovers.removeFoldersOf")(
  function* (isPurged: (run: string) => boolean) {
    const fs = yield* FileSystem.FileSystem
    const { home } = yield* Workspace
    for (const folder of folders) {
      const at = join(home, folder)
      const names = yield* Effect.orElseSucceed(fs.readDirectory(at), (): ReadonlyArray<string> => [])
      for (const name of names.filter(isPurged)) yield* fs.remove(join(at, name), { recursive: true, force: true })
    }
  },
  Effect.mapError(({ message }) => new LedgerFailed({ stream: "runs", reason: message })),
)

import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../../domain/canonical-json.ts"
import { NotTaken, SourceFile } from "../../../domain/collected.ts"
import * as Durable from "../../durable-files.ts"
import { addLines, readLines } from "../incident/incidents.ts"

/** What an earlier call listed of a collector. */
export interface Earlier {
  readonly paths: ReadonlySet<string>
  readonly bytes: number
}

/** The lists of an incident's files as they grow: lines are kept back until there are many, and flushed together. */
export interface InventoryLists {
  readonly earlier: (collector: string) => Earlier
  readonly addFile: (line: SourceFile) => Effect.Effect<void, Durable.FileFailed>
  readonly addNotTaken: (line: NotTaken) => Effect.Effect<void, Durable.FileFailed>
  /** All lines until now are durable on return. */
  readonly flush: Effect.Effect<void, Durable.FileFailed>
}

const inventory = "inventory.ndjson"
const notTaken = "not-taken.ndjson"
/** Characters of paths, about, that are kept back. */
const keptBack = 1 << 20

/**
 * The lists, for collectors that are looked at again. What an earlier call listed of them stays; what it did not take of
 * them is forgotten: it is taken now, or listed again. Nothing else may write to the lists meanwhile.
 */
export const open = Effect.fnUntraced(function* (folder: string, collectors: ReadonlySet<string>) {
  const earlier = new Map<string, { readonly paths: Set<string>; bytes: number }>()
  for (const { bytes, collector, path } of yield* readLines(folder, inventory, SourceFile)) {
    if (!collectors.has(collector)) continue
    const known = earlier.get(collector) ?? { paths: new Set(), bytes: 0 }
    earlier.set(collector, known)
    if (!known.paths.has(path)) known.bytes += bytes
    known.paths.add(path)
  }
  const before = yield* readLines(folder, notTaken, NotTaken)
  const kept = before.filter(({ collector }) => !collectors.has(collector))
  if (kept.length < before.length) {
    const text = kept.map((line) => `${CanonicalJson.encode(line)}\n`).join("")
    yield* Durable.writeFileDurably(join(folder, notTaken), text)
  }

  const files: Array<SourceFile> = []
  const others: Array<NotTaken> = []
  let weight = 0
  // Who stops waiting must not leave half of the lines behind, or add them twice.
  const flush = Effect.uninterruptible(
    Effect.gen(function* () {
      weight = 0
      yield* addLines(folder, inventory, files.splice(0))
      yield* addLines(folder, notTaken, others.splice(0))
    }),
  )
  const grown = (source: string) => {
    weight += source.length
    return weight > keptBack ? flush : Effect.void
  }
  const nothing: Earlier = { paths: new Set(), bytes: 0 }
  const lists: InventoryLists = {
    earlier: (collector) => earlier.get(collector) ?? nothing,
    addFile: (line) => Effect.suspend(() => (files.push(line), grown(line.source))),
    addNotTaken: (line) => Effect.suspend(() => (others.push(line), grown(line.source))),
    flush,
  }
  return lists
})

import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { roots } from "../domain/config/storage.ts"
import * as FolderSize from "../services/folder-size.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import { Ledger } from "./ledger.ts"

/** How old sizes may be before they are taken anew. */
const goodFor = "10 minutes"

/** Stores that are folders of the home. Reports by name are links to artifacts, and no store of their own. */
const folders = ["artifacts", "logs", "scratch", "receipts", "cache", "outbox", "inbox", "incidents"] as const

/** The size of every store of a project, by its name. One that cannot be looked at is left out. */
export type Sizes = Readonly<Record<string, FolderSize.StoreSize>>

const take = Effect.gen(function* () {
  const ledger = yield* Ledger
  const workspace = yield* Workspace
  const { sections } = yield* Settings
  const { home } = workspace
  const state = Effect.forEach(["", "-wal", "-shm"], (end) => FolderSize.ofFile(join(home, `state.db${end}`)))
  const sum = (all: ReadonlyArray<FolderSize.StoreSize>) => ({
    bytes: all.reduce((bytes, one) => bytes + one.bytes, 0),
    count: all[0]?.count ?? 0,
  })
  const looks: Readonly<Record<string, Effect.Effect<FolderSize.StoreSize, { readonly message: string }>>> = {
    ledger: ledger.size,
    state: Effect.map(state, sum),
    ...Object.fromEntries(folders.map((name) => [name, FolderSize.of(join(home, name))])),
    ...Object.fromEntries(
      roots(sections.storage).map(([key, path]) => [
        key.replace("_root", ""),
        Effect.flatMap(workspace.resolve(path), FolderSize.of),
      ]),
    ),
  }
  const sizes: Record<string, FolderSize.StoreSize> = {}
  for (const [name, look] of Object.entries(looks)) {
    const size = yield* Effect.option(look)
    if (size._tag === "Some") sizes[name] = size.value
  }
  return sizes satisfies Sizes
})

/** How much the stores of a project hold: the ledger wherever it lies, the folders of its home, and its configured roots. */
export class Stores extends Context.Service<
  Stores,
  {
    /**
     * Bytes and number of files of each store; of a ledger in PostgreSQL, bytes of its tables and number of streams. Taken
     * anew at most every ten minutes: a look at each file. Of 100,000 runs, each with a stream and a log, that is two or
     * three seconds of work in small parts.
     */
    readonly sizes: Effect.Effect<Sizes>
  }
>()("dandori/ledger/Stores") {
  static readonly layer: Layer.Layer<Stores, never, Ledger | Settings | Workspace> = Layer.effect(
    Stores,
    Effect.gen(function* () {
      const services = yield* Effect.context<Ledger | Settings | Workspace>()
      const sizes = yield* Effect.cachedWithTTL(Effect.provide(take, services), goodFor)
      return Stores.of({ sizes })
    }),
  )
}

import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Attempt } from "../../src/services/attempt.ts"
import { Evidence } from "../../src/services/evidence.ts"
import { ObjectStore, type Store } from "../../src/services/object-store.ts"
import { Settings } from "../../src/services/settings.ts"
import type { Source } from "../../src/services/snapshot-take.ts"
import { PathRefused, Workspace } from "../../src/services/workspace.ts"
import type { Input, Target } from "./schema.ts"

/** The snapshot would hold itself. */
export class DestinationInside extends Schema.TaggedError<DestinationInside>()("DestinationInside", {
  destination: Schema.String,
  target: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The destination ${this.destination} lies in ${this.target}, which is to be taken: the snapshot would hold itself. Choose another destination`
  }
}

const nameOf = (target: Target, path: string): string =>
  target.kind === "tree" ? `tree-${Path.basename(path).replaceAll(/[^A-Za-z0-9_.-]/g, "_")}` : target.kind

/** The folders of the targets, each with a name of its own. The ledger's keys are left out of every one. */
export const sourcesOf = (input: Input) =>
  Effect.gen(function* () {
    const workspace = yield* Workspace
    const { ledger: section, storage } = (yield* Settings).sections
    const ledger =
      section.store === "files" ? Path.join(workspace.home, "ledger") : Path.join((yield* Attempt).scratch, "ledger")
    const without = [{ path: Path.join(workspace.home, "keys"), reason: "private keys are in no snapshot" }]
    const names = new Set<string>()
    const sources: Array<Source> = []
    for (const target of input.targets) {
      const given = target.kind === "tree" ? target.path : target.kind === "models" ? storage.models_root : ledger
      const path = yield* workspace.resolve(given)
      const plain = nameOf(target, path)
      let name = plain
      for (let count = 2; names.has(name); count++) name = `${plain}-${count}`
      names.add(name)
      sources.push({ kind: target.kind, name, source: workspace.display(path), path, without })
    }
    return sources
  })

/** Puts the ledger where it is copied from, where it does not lie in files. */
export const prepare = (sources: ReadonlyArray<Source>) =>
  Effect.gen(function* () {
    const { ledger } = (yield* Settings).sections
    const evidence = yield* Evidence
    for (const { kind, path } of sources) {
      if (kind === "ledger" && ledger.store === "postgres") yield* evidence.copyTo(path)
    }
  })

const within = (path: string, folder: string) => !Path.relative(folder, path).startsWith("..")

/** A store whose files are stored in a class; what is small and read first, like a manifest, is not. */
const inClass = (store: Store, storageClass: string | undefined): Store =>
  storageClass === undefined ? store : { ...store, putFile: (key, path) => store.putFile(key, path, { storageClass }) }

/** Opens the destination, a bucket's with the storage class that files leave the machine with. A folder must be one that may be touched, and must not lie in what is taken. */
export const openDestination = (input: Input, sources: ReadonlyArray<Source>) =>
  Effect.gen(function* () {
    const { storage } = (yield* Settings).sections
    const stores = yield* ObjectStore
    const given = input.destination ?? storage.backups_root
    if (/^[a-z][a-z0-9+.-]+:/i.test(given) && !given.startsWith("file:")) {
      return inClass(yield* stores.open(given), storage.offsite?.storage_class)
    }
    const path = yield* Effect.try({
      try: () => (given.startsWith("file:") ? fileURLToPath(given) : given),
      catch: () => new PathRefused({ path: given, reason: "it is no file: URL of this machine" }),
    })
    const folder = yield* (yield* Workspace).resolve(path)
    const inside = sources.find((source) => within(folder, source.path))
    if (inside !== undefined) return yield* new DestinationInside({ destination: given, target: inside.source })
    return yield* stores.open(folder)
  })

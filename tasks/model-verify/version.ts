import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Checksums from "../../src/domain/checksums.ts"
import type { ModelVersion } from "../../src/domain/model.ts"
import { filesGo } from "../../src/domain/registry.ts"
import { ModelFiles } from "../../src/services/model-files.ts"
import { FilesPurged, ModelRegistry, VersionConflict, VersionUnknown } from "../../src/services/model-registry.ts"
import { Workspace } from "../../src/services/workspace.ts"

/** The published files are not what their list, or the registry, says. Nothing was changed. */
export class ModelDamaged extends Schema.TaggedError<ModelDamaged>()("ModelDamaged", {
  version: Schema.String,
  path: Schema.String,
  differences: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.version} in ${this.path} is not what was published: ${this.differences.join("; ")}. Nothing was changed; look: dandori model verify ${this.version}`
  }
}

/**
 * Reads a published version back: its row has the digest, its folder exactly the listed files, and these the digest.
 * Names everything that differs. The version is not purged until the scope closes.
 */
export const verifyVersion = Effect.fn("ModelVersion.verify")(function* ({ digest, version }: ModelVersion) {
  const files = yield* ModelFiles
  const registry = yield* ModelRegistry
  yield* files.reading(version)
  const row = Option.getOrUndefined(yield* registry.find(version))
  if (row === undefined) return yield* new VersionUnknown({ version })
  if (row.digest !== digest) return yield* new VersionConflict({ version, found: row.digest, offered: digest })
  const purged = Option.getOrUndefined(yield* registry.filesOf(version))
  if (purged !== undefined && filesGo(purged.state)) return yield* FilesPurged.of(purged)
  const folder = yield* files.folder(version)
  const path = (yield* Workspace).display(folder.path)
  if (!(yield* files.exists(folder))) {
    return yield* new ModelDamaged({ version, path, differences: ["the folder is gone"] })
  }
  const { differences, list } = yield* files.verify(version)
  const found = differences.map(Checksums.describe)
  if (list !== undefined && list.root_digest !== digest) found.push(`its files have the digest ${list.root_digest}`)
  if (list === undefined || found.length > 0) return yield* new ModelDamaged({ version, path, differences: found })
  return { row, list, folder, path }
})

import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Checksums from "../domain/checksums.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as ModelFiles from "../services/model-files.ts"
import { filesGo } from "../domain/registry.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { exitCodes } from "./exit-code.ts"
import * as Hint from "./hint.ts"
import type { Place } from "./ledger-place.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import { count, plain } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"

const codeOf = (differences: ReadonlyArray<Checksums.Difference>): number => {
  if (differences.length === 0) return exitCodes.ok
  return differences.every(({ kind }) => kind === "missing") ? exitCodes.truncated : exitCodes.altered
}

/** What the registry knows of the version and of its files; nothing where there is no such row, or no registry. */
const registered = Effect.fnUntraced(function* (place: Place, version: string) {
  if (!(yield* Readers.hasRegistry(place))) return { row: undefined, last: undefined }
  return yield* Effect.gen(function* () {
    const registry = yield* ModelRegistry
    return {
      row: Option.getOrUndefined(yield* registry.find(version)),
      last: Option.getOrUndefined(yield* registry.filesOf(version)),
    }
  }).pipe(Effect.provide(Readers.registry(place)))
})

/** Compares a version's folder with its checksums and its signature, and these with the registry; names each difference. */
export const verifyModel = Effect.fnUntraced(function* (version: string) {
  const { json, quiet } = yield* root
  const place = yield* Readers.find
  const { project, home, env } = place
  const settings = SettingsFiles.layerOf(yield* SettingsFiles.load(project, env))
  const files = ModelFiles.layer.pipe(
    Layer.provide(
      Layer.mergeAll(settings, Readers.workspace(project, home), ArtifactsDirectory.layer(join(home, "artifacts"))),
    ),
  )
  const { last, row } = yield* registered(place, version)
  const { folder, found } = yield* Effect.gen(function* () {
    const models = yield* ModelFiles.ModelFiles
    const folder = yield* models.folder(version)
    yield* models.reading(version)
    return { folder, found: (yield* models.exists(folder)) ? yield* models.check(folder) : undefined }
  }).pipe(Effect.scoped, Effect.provide(files))
  if (found === undefined && row === undefined) {
    const list = (yield* Hint.here).files("model list")
    return yield* new Missing({ what: `There is no version ${version}`, next: `See what there is: ${list}` })
  }

  const purged = found === undefined && last !== undefined && filesGo(last.state) ? last : undefined
  const differences: Array<Checksums.Difference> = [...(found?.differences ?? [{ kind: "missing", path: folder.path }])]
  const list = found?.list
  if (row !== undefined && list !== undefined && row.digest !== list.root_digest) {
    const reason = `its checksums are of ${list.root_digest}, the registry says ${row.digest}`
    differences.push({ kind: "invalid", reason })
  }
  const inRegistry = row?.status ?? "not registered"
  if (json) {
    const value = {
      version,
      path: folder.path,
      registry: row?.status ?? null,
      digest: list?.root_digest ?? null,
      signer: found?.signer ?? null,
      differences,
      ...(purged === undefined ? {} : { purged: { at: purged.at, who: purged.who, reason: purged.reason } }),
    }
    yield* Output.json({ v: 1, kind: "model-verify", ...value })
  } else if (purged !== undefined) {
    const words = `at ${purged.at} by ${purged.who}: ${purged.reason}`
    yield* Output.data(`${Output.yellow("PURGED", Output.colours(process.stdout))}  ${version}  ${plain(words)}`)
  } else if (differences.length > 0) {
    const verdict = Output.red("DAMAGED", Output.colours(process.stdout))
    const lines = differences.map((difference) => `  ${plain(Checksums.describe(difference))}`)
    yield* Output.data([`${verdict}  ${version} (${inRegistry})  ${plain(folder.path)}`, ...lines].join("\n"))
  } else if (!quiet) {
    const verdict = Output.green("intact", Output.colours(process.stdout))
    const size = count(Object.keys(list?.checksums ?? {}).length, "file", "files")
    const synthetic = row?.synthetic === true ? "  SYNTHETIC" : ""
    yield* Output.data(
      `${verdict}  ${version} (${inRegistry})${synthetic}  ${size}, digest ${list?.root_digest ?? ""}, signed`,
    )
  }
  yield* Output.exitWith(codeOf(differences))
})

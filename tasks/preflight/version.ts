import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ok } from "../../src/services/config-finding.ts"
import { ModelFiles } from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import type { Finding } from "./schema.ts"

type Section = "database" | "storage"

const wrong = (section: Section, what: string, fix: string): Finding => ({ section, level: "error", what, fix })
const anew = "publish under a new version; a published one is never replaced"

/** Whether the registry has the version with other bytes than these (with any, where none are named). */
const inRegistry = Effect.fnUntraced(function* (version: string, digest: string | undefined) {
  const found = yield* (yield* ModelRegistry).find(version)
  if (Option.isNone(found)) return ok("database", `the registry has no version ${version}`)
  const { digest: there, status } = found.value
  if (there === digest) return ok("database", `the registry has version ${version} with the same bytes`)
  const other = digest === undefined ? "" : ` with other bytes (${there.slice(0, 12)}…, not ${digest.slice(0, 12)}…)`
  return wrong("database", `the registry has version ${version} already${other}: it is ${status}`, anew)
})

/** Whether `models_root` has a folder of the version that does not hold exactly these bytes. */
const inFiles = Effect.fnUntraced(function* (version: string, digest: string | undefined) {
  const files = yield* ModelFiles
  const folder = yield* files.folder(version)
  if (!(yield* files.exists(folder))) return ok("storage", `models_root has no folder ${version}`)
  const { differences, list } = yield* files.check(folder)
  if (digest !== undefined && list?.root_digest === digest) {
    if (differences.length === 0) return ok("storage", `models_root has ${version} with the same bytes`)
    const fix = `see what differs by dandori model verify ${version}, then restore the folder or publish under a new version`
    return wrong("storage", `models_root: the folder ${version} is not what its checksums.json says`, fix)
  }
  return wrong(
    "storage",
    `models_root has a folder ${version} already${digest === undefined ? "" : " with other bytes"}`,
    anew,
  )
})

/** Whether a model version is free, or taken by the very same bytes. */
export const version = (name: string, digest: string | undefined) =>
  Effect.all([
    inRegistry(name, digest).pipe(
      Effect.catch(({ message }) =>
        Effect.succeed(wrong("database", message, "mend that, so that the registry can be asked for the version")),
      ),
    ),
    inFiles(name, digest).pipe(
      Effect.catch(({ message }) => Effect.succeed(wrong("storage", `models_root: ${message}`, "mend that"))),
    ),
  ])

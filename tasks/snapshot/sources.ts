import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type { Sections } from "../../src/domain/config/sections.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as Durable from "../../src/services/durable-files.ts"
import { Settings } from "../../src/services/settings.ts"
import { ServiceMissing } from "../../src/services/snapshot-databases.ts"
import type { LeftOut } from "../../src/services/snapshot-manifest.ts"
import type { Source } from "../../src/services/snapshot-take.ts"
import { Workspace } from "../../src/services/workspace.ts"
import type { Input, Target as AnyTarget } from "./schema.ts"
import { isCloud } from "./cloud.ts"

type Target = Exclude<AnyTarget, { readonly kind: "rds" | "ebs" }>

const nameOf = (target: Target, path: string): string =>
  target.kind === "tree" ? `tree-${Path.basename(path).replaceAll(/[^A-Za-z0-9_.-]/g, "_")}` : target.kind

/** The folders that are taken as they are. The others are written into the attempt's own folder first, as a copy. */
const folderOf = (target: Target, home: string, { ledger, storage }: Sections): string | undefined => {
  if (target.kind === "tree") return target.path
  if (target.kind === "models") return storage.models_root
  if (target.kind === "worm") return storage.worm_root
  return target.kind === "ledger" && ledger.store === "files" ? Path.join(home, "ledger") : undefined
}

/** Where a copy comes from, as it is shown; nothing where this environment has no such service. */
const serviceOf = (target: Target, { database, messaging }: Sections) => {
  const embedded = (setting: string) => new ServiceMissing({ kind: target.kind, setting: `${setting} is embedded` })
  if (target.kind === "postgres" && database.backend === "embedded") return embedded("database.backend")
  if (target.kind === "redis" && messaging.backend === "embedded") return embedded("messaging.backend")
  if (target.kind === "redis") return "the Redis of messaging.url"
  if (target.kind === "registry" && database.backend === "embedded") return "the registry in state.db"
  return `the ${target.kind === "postgres" ? "database" : target.kind} of database.dsn`
}

const isThere = (path: string) =>
  Effect.map(Effect.option(Durable.attempt("look at", path, () => Fs.stat(path))), ({ _tag }) => _tag === "Some")

/**
 * What is taken of each target, with a name of its own, and what is left out. The ledger's keys are left out of every
 * one.
 */
export const sourcesOf = (input: Input) =>
  Effect.gen(function* () {
    const workspace = yield* Workspace
    const { sections } = yield* Settings
    const { scratch } = yield* Attempt
    const without = [{ path: Path.join(workspace.home, "keys"), reason: "private keys are in no snapshot" }]
    const names = new Set<string>()
    const sources: Array<Source> = []
    const left: Array<LeftOut> = []
    for (const target of input.targets) {
      if (isCloud(target)) continue
      const given = folderOf(target, workspace.home, sections)
      const service = given === undefined ? serviceOf(target, sections) : undefined
      if (typeof service === "object") {
        if (target.ifThere !== true) return yield* service
        left.push({ kind: target.kind, reason: service.setting })
        continue
      }
      const path = given === undefined ? Path.join(scratch, `copy-${target.kind}`) : yield* workspace.resolve(given)
      const shown = service ?? workspace.display(path)
      if (given !== undefined && target.ifThere === true && !(yield* isThere(path))) {
        left.push({ kind: target.kind, reason: `there is no folder ${shown}` })
        continue
      }
      const plain = nameOf(target, path)
      let name = plain
      for (let count = 2; names.has(name); count++) name = `${plain}-${count}`
      names.add(name)
      sources.push({ kind: target.kind, name, source: shown, path, without })
    }
    return { sources, left }
  })

/**
 * The configuration of a project: `configs/base/<section>.yaml` with `configs/envs/<env>/<section>.yaml` over it.
 * Maps merge key by key, lists of named things item by item (`located.ts`), everything else is replaced.
 */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import * as Located from "../domain/config/located.ts"
import { ConfigInvalid, type Place, type Problem } from "../domain/config/problem.ts"
import * as SectionCheck from "../domain/config/section-check.ts"
import { type Sections, optionalSections, sections as schemas } from "../domain/config/sections.ts"
import { nearest } from "../domain/suggest.ts"
import { EnvironmentName } from "../domain/names.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { attempt } from "./durable-files.ts"
import { Settings } from "./settings.ts"

/** The name of a section. */
export type SectionName = keyof Sections

/** The configuration of one environment. `digest` is the SHA-256 over the canonical JSON of all sections. */
export interface Configuration {
  readonly env: EnvironmentName
  readonly sections: Sections
  /** Which file and line gave each value; `path` starts with the section, a secret is its reference. */
  readonly origins: ReadonlyArray<SectionCheck.Origin>
  readonly digest: Sha256
}

/** The names of all sections. */
export const sectionNames = Object.keys(schemas) as ReadonlyArray<SectionName>

const All = Schema.Struct(schemas)
const Resolved = Schema.Struct({ env: EnvironmentName, sections: All })
const isEnvironment = Schema.is(EnvironmentName)

const top = (file: string): Place => ({ file, line: 1, column: 1 })
const problem = (at: Place, path: string, message: string, suggestion?: string): Problem => ({
  ...at,
  path,
  message,
  ...(suggestion === undefined ? {} : { suggestion }),
})

const inFileOrder = (a: Problem, b: Problem): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1

const entriesOf = (project: string, folder: string, problems: Array<Problem>) =>
  attempt("read", folder, () => Fs.readdir(join(project, folder), { withFileTypes: true })).pipe(
    Effect.map((entries) => entries.filter((entry) => !entry.name.startsWith("."))),
    Effect.catch((error) => {
      if (error.code !== "ENOENT") problems.push(problem(top(folder), "", error.message))
      return Effect.succeed(undefined)
    }),
  )

/** The keys that an auditor trusts: no section; the ledger reads it. */
const keysFile = "configs/base/trust.yaml"

/** The sections of a folder by name; "unusable" where the file's form is wrong, which is a problem already. */
const readFolder = Effect.fnUntraced(function* (project: string, folder: string, problems: Array<Problem>) {
  const found = new Map<string, Located.Located | "unusable">()
  for (const entry of (yield* entriesOf(project, folder, problems)) ?? []) {
    const file = `${folder}/${entry.name}`
    if (file === keysFile) continue
    const name = sectionNames.find((each) => `${each}.yaml` === entry.name)
    if (name === undefined || entry.isDirectory()) {
      const meant = nearest(entry.name.replace(/\.[^.]*$/, ""), sectionNames)
      problems.push(problem(top(file), "", "is not a known section", meant === undefined ? meant : `${meant}.yaml`))
      continue
    }
    const text = yield* Effect.result(attempt("read", file, () => Fs.readFile(join(project, file), "utf8")))
    if (Result.isFailure(text)) {
      problems.push(problem(top(file), "", text.failure.message))
      found.set(name, "unusable")
      continue
    }
    const parsed = Located.fromYaml(file, text.success)
    problems.push(...parsed.problems.map((each) => ({ ...each, path: Located.child(name, each.path) })))
    if (parsed.problems.length > 0) found.set(name, "unusable")
    else if (parsed.value !== undefined) found.set(name, parsed.value)
  }
  return found
})

const checkFolders = Effect.fnUntraced(function* (project: string, env: EnvironmentName, problems: Array<Problem>) {
  const configs = yield* entriesOf(project, "configs", problems)
  if (configs === undefined) {
    problems.push(problem(top("configs"), "", "is not there; `dandori init` makes one"))
    return
  }
  for (const { name } of configs) {
    if (name === "base" || name === "envs") continue
    problems.push(
      problem(top(`configs/${name}`), "", "is not known; sections lie in configs/base and configs/envs/<env>"),
    )
  }
  const envs = (yield* entriesOf(project, "configs/envs", problems)) ?? []
  for (const entry of envs) {
    if (entry.isDirectory() && isEnvironment(entry.name)) continue
    const meant = nearest(entry.name, EnvironmentName.literals)
    problems.push(problem(top(`configs/envs/${entry.name}`), "", "is not a known environment (dev, stg, prod)", meant))
  }
  if (!envs.some((entry) => entry.name === env)) {
    problems.push(problem(top(`configs/envs/${env}`), "", "is not there; make the folder with a section in it"))
  }
})

const checkedEnv = (env: string): Effect.Effect<EnvironmentName, ConfigInvalid> => {
  if (isEnvironment(env)) return Effect.succeed(env)
  const meant = nearest(env, EnvironmentName.literals)
  const unknown = problem(top(`configs/envs/${env}`), "", "is not a known environment (dev, stg, prod)", meant)
  return Effect.fail(new ConfigInvalid({ env, problems: [unknown] }))
}

/**
 * Reads, merges and checks the configuration of an environment. Fails with every problem of every file at once: unknown
 * keys, sections and environments, wrong types, values out of range. Secrets are not read.
 */
export const load = Effect.fn("SettingsFiles.load")(function* (project: string, name: string) {
  const env = yield* checkedEnv(name)
  const problems: Array<Problem> = []
  yield* checkFolders(project, env, problems)
  const base = yield* readFolder(project, "configs/base", problems)
  const over = yield* readFolder(project, `configs/envs/${env}`, problems)
  const entries = new Map<string, Located.Located>()
  for (const section of sectionNames) {
    const below = base.get(section)
    const above = over.get(section)
    if (below === "unusable" || above === "unusable") continue
    if (below !== undefined && above !== undefined) {
      entries.set(section, Located.merge(below, above, [schemas[section].ast]))
    } else if (below !== undefined || above !== undefined) {
      entries.set(section, (below ?? above) as Located.Located)
    } else if (!optionalSections.has(section)) {
      problems.push(problem(top(`configs/base/${section}.yaml`), section, "is missing"))
    }
  }
  const located: Located.Located = { kind: "map", at: top("configs"), entries, keys: new Map() }
  const checked = SectionCheck.check(All, located)
  if (Result.isSuccess(checked) && checked.success.approvals.selfApproval && env !== "dev") {
    problems.push(problem(top("configs/envs/" + env), "approvals.selfApproval", "may be true in env dev only"))
  }
  if (Result.isSuccess(checked) && problems.length === 0) {
    return {
      env,
      sections: checked.success,
      origins: SectionCheck.origins(All, located),
      digest: CanonicalJson.digest(checked.success),
    } satisfies Configuration
  }
  if (Result.isFailure(checked)) problems.push(...checked.failure.filter((each) => each.file !== "configs"))
  return yield* new ConfigInvalid({ env, problems: problems.toSorted(inFileOrder) })
})

/** The messaging section alone, whatever is wrong with the others: a halt has to work when little else does. */
export const loadMessaging = Effect.fn("SettingsFiles.loadMessaging")(function* (project: string, name: string) {
  const env = yield* checkedEnv(name)
  const all: Array<Problem> = []
  const base = (yield* readFolder(project, "configs/base", all)).get("messaging")
  const over = (yield* readFolder(project, `configs/envs/${env}`, all)).get("messaging")
  const problems = all.filter(({ file }) => file.endsWith("/messaging.yaml"))
  const usable = [base, over].filter((part) => part !== undefined && part !== "unusable")
  if (usable.length === 0 && problems.length === 0) {
    problems.push(problem(top("configs/base/messaging.yaml"), "messaging", "is missing"))
  }
  if (problems.length > 0) return yield* new ConfigInvalid({ env, problems })
  const messaging = usable.reduce((below, above) => Located.merge(below, above, [schemas.messaging.ast]))
  const entries = new Map([["messaging", messaging]])
  const located: Located.Located = { kind: "map", at: top("configs"), entries, keys: new Map() }
  const checked = SectionCheck.check(Schema.Struct({ messaging: schemas.messaging }), located)
  if (Result.isSuccess(checked)) return { env, messaging: checked.success.messaging }
  return yield* new ConfigInvalid({ env, problems: checked.failure.toSorted(inFileOrder) })
})

/**
 * As `load`, but a section that cannot be used is what `usual` (the text of each file, by its path) says, whatever is wrong
 * with the project's: an evacuation has to work when little else does. What was wrong comes with it. Fails only where the
 * environment is unknown.
 */
export const salvage = Effect.fn("SettingsFiles.salvage")(function* (
  project: string,
  name: string,
  usual: ReadonlyMap<string, string>,
) {
  const env = yield* checkedEnv(name)
  const problems: Array<Problem> = []
  const base = yield* readFolder(project, "configs/base", problems)
  const over = yield* readFolder(project, `configs/envs/${env}`, problems)
  const values: Partial<Record<SectionName, unknown>> = {}
  for (const section of sectionNames) {
    const parts = [base.get(section), over.get(section)].filter((part) => part !== undefined)
    const usable = parts.filter((part) => part !== "unusable")
    const merge = (all: ReadonlyArray<Located.Located>) =>
      all.reduce((below, above) => Located.merge(below, above, [schemas[section].ast]))
    const merged = usable.length === 0 || usable.length < parts.length ? undefined : merge(usable)
    const schema = Schema.Struct({ [section]: schemas[section] })
    const check = (located: Located.Located) =>
      SectionCheck.check(schema, {
        kind: "map",
        at: top("configs"),
        entries: new Map([[section, located]]),
        keys: new Map(),
      })
    const own = merged === undefined ? undefined : check(merged)
    if (own !== undefined && Result.isSuccess(own)) {
      values[section] = own.success[section]
      continue
    }
    if (own === undefined && parts.length === 0)
      problems.push(problem(top(`configs/base/${section}.yaml`), section, "is missing"))
    else if (own !== undefined) problems.push(...own.failure)
    const shipped = ["configs/base", `configs/envs/${env}`].flatMap((folder) => {
      const file = `${folder}/${section}.yaml`
      const value = Located.fromYaml(file, usual.get(file) ?? "").value
      return value === undefined ? [] : [value]
    })
    const checked = shipped.length === 0 ? undefined : check(merge(shipped))
    if (checked !== undefined && Result.isSuccess(checked)) values[section] = checked.success[section]
  }
  const configuration = yield* fromResolved({ env, sections: values })
  return { configuration, problems: problems.toSorted(inFileOrder) }
})

/** The canonical JSON that a run keeps of its configuration, for `fromResolved`. */
export const resolved = ({ env, sections }: Configuration): string => CanonicalJson.encode({ env, sections })

/** The configuration that a run was started with, from the JSON value that `resolved` wrote. It has no origins. */
export const fromResolved = (json: unknown): Effect.Effect<Configuration, ConfigInvalid> => {
  const checked = SectionCheck.check(Resolved, Located.fromJson(top("the run's resolved configuration"), json))
  if (Result.isFailure(checked)) return Effect.fail(new ConfigInvalid({ env: "the run", problems: checked.failure }))
  const { env, sections } = checked.success
  return Effect.succeed({ env, sections, origins: [], digest: CanonicalJson.digest(sections) })
}

/** `Settings` of a configuration that is loaded already. */
export const layerOf = ({ env, sections }: Configuration): Layer.Layer<Settings> =>
  Layer.succeed(Settings, { env, sections, digest: (name) => CanonicalJson.digest(sections[name]) })

/** `Settings` of a project's files. */
export const layer = (options: {
  readonly project: string
  readonly env: string
}): Layer.Layer<Settings, ConfigInvalid> => Layer.unwrap(Effect.map(load(options.project, options.env), layerOf))

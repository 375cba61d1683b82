import * as Fs from "node:fs/promises"
import { join, relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { compileFile } from "../compiler/compile-file.ts"
import * as PlanSide from "../compiler/plan-side.ts"
import { Plan } from "../domain/plan.ts"
import type { Deployment } from "../ledger/deployments.ts"
import { Artifacts } from "../services/artifacts.ts"
import { attempt } from "../services/durable-files.ts"
import * as GitTree from "../services/git-tree.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { usual } from "../../tasks/dq/expectations.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { Missing } from "./missing.ts"
import type { CompiledFile } from "./compiled-files.ts"
import { shownPath } from "./pipeline-validate.ts"

/** Larger files are data, not policy: they are neither compared nor kept with a deployment. */
const largestFile = 1024 * 1024

/** One side with the bytes of its files, by path. */
export interface Side {
  readonly side: PlanSide.PlanSide
  readonly bytes: ReadonlyMap<string, Uint8Array>
}

const small = (path: string) =>
  attempt("read", path, async () => {
    const { size } = await Fs.stat(path)
    return size > largestFile ? undefined : new Uint8Array(await Fs.readFile(path))
  }).pipe(Effect.orElseSucceed(() => undefined))

/** The bytes of the files that a side's tasks name; what is not there, or is a folder, is left out. */
const bytesOf = Effect.fnUntraced(function* (project: string, { names }: PlanSide.PlanSide) {
  const found = new Map<string, Uint8Array>()
  for (const path of new Set([...names.values()].flat())) {
    const bytes = yield* small(resolve(project, path))
    if (bytes !== undefined) found.set(path, bytes)
  }
  return found
})

const complete = Effect.fnUntraced(function* (project: string, plan: Plan, configuration: SettingsFiles.Configuration) {
  const side = yield* PlanSide.make(plan, { ...configuration.sections })
  const bytes = yield* bytesOf(project, side)
  return { side: PlanSide.withFiles(side, bytes, usual), bytes } satisfies Side
})

/** A side of which the file is known. */
export interface FileSide extends Side {
  /** Absolute. */
  readonly file: string
}

/** Pipelines as their files say them now. */
export const ofCompiled = (
  project: string,
  compiled: ReadonlyArray<CompiledFile>,
  configuration: SettingsFiles.Configuration,
) =>
  Effect.forEach(compiled, ({ file, plan }) =>
    Effect.map(complete(project, plan, configuration), (side): FileSide => ({ ...side, file })),
  )

/** A pipeline as its file says it now. */
export const ofFile = Effect.fnUntraced(function* (
  project: string,
  file: string,
  configuration: SettingsFiles.Configuration,
) {
  const { plan } = yield* compileFile(shownPath(file))
  return yield* complete(project, plan, configuration)
})

const decoder = new TextDecoder()
const isPlan = Schema.is(Plan)
const isConfig = Schema.is(Schema.Struct({ sections: Schema.Record(Schema.String, Schema.Unknown) }))

const json = (bytes: Uint8Array) =>
  Effect.try({ try: () => JSON.parse(decoder.decode(bytes)) as unknown, catch: () => undefined }).pipe(
    Effect.orElseSucceed(() => undefined),
  )

/** A pipeline as it was deployed: its plan, its configuration and its files from the artifact store. */
export const ofDeployment = Effect.fnUntraced(function* ({ data }: Deployment) {
  const artifacts = yield* Artifacts
  const plan = yield* json(yield* artifacts.get(data.plan))
  const config = yield* json(yield* artifacts.get(data.config.sha256))
  if (!isPlan(plan) || !isConfig(config)) {
    return yield* new Missing({
      what: `What was deployed of ${data.pipeline} has a format of another version`,
      next: `Compare with a file or a git revision (--against), or deploy it anew with the version that made it`,
    })
  }
  const bytes = new Map<string, Uint8Array>()
  for (const { name, sha256 } of data.files) bytes.set(name, yield* artifacts.get(sha256))
  const made = yield* PlanSide.make(plan, config.sections)
  return PlanSide.withFiles({ ...made, gates: new Set(data.gates) }, bytes, usual)
})

/** A project at a git revision. */
export interface Revision {
  readonly name: string
  readonly tree: GitTree.Tree
}

/** A pipeline as its file said it at a git revision, with the configuration of then; undefined where it had no such file. */
export const ofRevision = Effect.fnUntraced(function* (
  project: string,
  env: string,
  { name, tree: { folder } }: Revision,
  file: string,
) {
  const refuse = (reason: string) => new GitTree.RevisionUnusable({ revision: name, reason })
  const inside = relative(project, file)
  if (inside.startsWith("..")) {
    return yield* refuse(`${shownPath(file)} does not lie in the project, so no revision of the project holds it`)
  }
  const then = join(folder, inside)
  const there = yield* attempt("look at", then, () => Fs.stat(then)).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false),
  )
  if (!there) return undefined
  return yield* Effect.gen(function* () {
    const configuration = yield* SettingsFiles.load(folder, env)
    const { plan } = yield* compileFile(then)
    return (yield* complete(folder, plan, configuration)).side
  }).pipe(
    Effect.provide(Catalog.layer(folder)),
    Effect.mapError(({ message }) => refuse(message.replaceAll(`${folder}/`, `${name}:`))),
  )
})

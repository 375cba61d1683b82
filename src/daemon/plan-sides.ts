import * as Fs from "node:fs/promises"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as PlanSide from "../compiler/plan-side.ts"
import { Plan } from "../domain/plan.ts"
import type { Deployment } from "../ledger/deployments.ts"
import { Artifacts } from "../services/artifacts.ts"
import { attempt } from "../services/durable-files.ts"
import type * as SettingsFiles from "../services/settings-files.ts"
import { usual } from "../../tasks/dq/expectations.ts"

/** What is deployed cannot be read by this version. */
export class DeploymentUnreadable extends Schema.TaggedError<DeploymentUnreadable>()("DeploymentUnreadable", {
  pipeline: Schema.String,
}) {
  /** As of any input that is not there. */
  readonly exitCode = 66
  override get message() {
    return `What was deployed of ${this.pipeline} has a format of another version. Compare with a file or a git revision (--against), or deploy it anew with the version that made it`
  }
}

/** A pipeline file that compiles. */
export interface CompiledFile {
  /** Absolute. */
  readonly file: string
  readonly plan: Plan
}

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

/** A plan with what the configuration and the files of the project make of it. */
export const complete = Effect.fnUntraced(function* (
  project: string,
  plan: Plan,
  configuration: SettingsFiles.Configuration,
) {
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
    return yield* new DeploymentUnreadable({ pipeline: data.pipeline })
  }
  const bytes = new Map<string, Uint8Array>()
  for (const { name, sha256 } of data.files) bytes.set(name, yield* artifacts.get(sha256))
  const made = yield* PlanSide.make(plan, config.sections)
  return PlanSide.withFiles({ ...made, gates: new Set(data.gates) }, bytes, usual)
})

import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import { roots } from "../domain/config/storage.ts"
import type { Arrival } from "../domain/file-arrival.ts"
import * as FileTrigger from "../domain/file-trigger.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Plan } from "../domain/plan.ts"
import * as TriggerParams from "../domain/trigger-params.ts"
import { ArrivedFiles } from "../services/arrived-files.ts"
import * as FileArrival from "../services/file-arrival.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Host from "./host.ts"
import { Pipelines } from "./pipelines.ts"
import { Surroundings } from "./surroundings.ts"

/** How often a folder is looked at, and what is deployed, milliseconds. */
const lookEvery = 1_000
const pipelinesEvery = 500
/** How soon a watch that could not begin is tried again, milliseconds. */
const again = 2_000

/** Only what lies in the project or a configured root is watched, whatever people at a command line may name. */
const ownPaths = Effect.gen(function* () {
  const { home, project } = yield* Surroundings
  const extraRoots = roots((yield* Settings).sections.storage).map(([, path]) => path)
  return WorkspaceFiles.layer({ project, home, extraRoots, allowUserPaths: false })
})

/** Starts the run of a file that has arrived: true when both are durable, false where no more runs may wait. */
const take = Effect.fnUntraced(function* (
  watch: string,
  plan: Plan,
  files: FileTrigger.FileTrigger,
  path: string,
  { file, key }: Arrival,
) {
  const { env, say } = yield* Surroundings
  const host = yield* Host.Host
  const pipeline = plan.id
  const { faults, values } = TriggerParams.all(
    plan.params as Readonly<Record<string, JsonSchema>>,
    files.params,
    FileTrigger.factsFor({ path, name: basename(path), size: file.size }),
  )
  /** Not remembered: it arrives again when the pipeline is deployed anew. */
  const waits = (problems: ReadonlyArray<string>) =>
    Effect.as(
      say(`The file ${path} starts no run of ${pipeline} until it is deployed anew: ${problems.join("; ")}`),
      true,
    )
  if (faults.length > 0) return yield* waits(faults)
  const start = host.start({
    pipeline,
    params: values,
    run: FileTrigger.runOf({ env, pipeline, key, file }),
    who: { authid: `files ${pipeline}`, authtype: "service_account" },
    trigger: "file",
  })
  const arrived = yield* ArrivedFiles
  return yield* start.pipe(
    Effect.andThen(arrived.take(watch, file)),
    Effect.as(true),
    Effect.catchTags({
      QueueFull: () => Effect.succeed(false),
      ParamsRefused: ({ problems }) => waits(problems),
    }),
  )
})

type Needs = Effect.Services<ReturnType<typeof take>> | Workspace

/** Watches for the files of a pipeline until it is interrupted. */
const watch = Effect.fnUntraced(function* (plan: Plan, files: FileTrigger.FileTrigger) {
  const { env, say } = yield* Surroundings
  const arrived = yield* ArrivedFiles
  const { display, resolve } = yield* Workspace
  const { folder, pattern } = FileTrigger.partsOf(files.path)
  const name = JSON.stringify([env, plan.id, files.path])
  let told: string | undefined
  const begin = Effect.all([resolve(folder), arrived.of(name)]).pipe(
    Effect.tapError(({ message }) => {
      if (message === told) return Effect.void
      told = message
      return say(`Files of ${plan.id} do not arrive: ${message}`)
    }),
    Effect.catch(() => Effect.as(Effect.sleep(again), undefined)),
    Effect.repeat({ until: (begun) => begun !== undefined }),
  )
  const begun = yield* begin
  if (begun === undefined) return yield* Effect.never
  const [at, remembered] = begun
  yield* say(`${plan.id} is started by files ${files.path}`)
  return yield* FileArrival.make({
    folder: at,
    pattern,
    complete: FileTrigger.completeOf(files.complete),
    everyMillis: lookEvery,
    remembered,
    remember: (there) => arrived.begin(name, there),
    forget: (paths) => arrived.forget(name, paths),
    take: (arrival) => take(name, plan, files, display(join(at, arrival.file.path)), arrival),
  }).run
})

/** Starts a run for each file that arrives for a pipeline that is deployed. Goes on until it is interrupted. */
export const run = Effect.gen(function* () {
  const pipelines = yield* Pipelines
  const watches = yield* FiberMap.make<string>()
  const { say } = yield* Surroundings
  let known: ReadonlySet<string> = new Set()
  return yield* Effect.forever(
    Effect.gen(function* () {
      const wanted = new Map<string, Effect.Effect<void, never, Needs>>()
      for (const { deployed, id } of pipelines.current().values()) {
        const files = deployed?.plan.on?.files
        if (deployed === undefined || files === undefined) continue
        const watching = watch(deployed.plan, files).pipe(
          Effect.catchDefect((defect) =>
            Effect.andThen(say(`Files of ${id} do not arrive: ${String(defect)}`), Effect.sleep(again)),
          ),
        )
        wanted.set(`${id} ${deployed.digest}`, watching)
      }
      for (const key of known) if (!wanted.has(key)) yield* FiberMap.remove(watches, key)
      known = new Set(wanted.keys())
      for (const [key, watching] of wanted) yield* FiberMap.run(watches, key, watching, { onlyIfMissing: true })
      yield* Effect.sleep(pipelinesEvery)
    }),
  )
}).pipe(Effect.scoped, (watching) => Effect.flatMap(ownPaths, (own) => Effect.provide(watching, own)))

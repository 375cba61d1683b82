import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { AnyTaskType } from "../src/domain/task-type.ts"
import { Catalog, TaskTypeBroken } from "../src/domain/catalog.ts"
import * as CodeDigest from "../src/services/code-digest.ts"
import * as ProjectTaskTypes from "../src/services/project-task-types.ts"

type Load = () => Promise<{ readonly default?: unknown }>

/** The task types that ship, imported when they are asked for. */
const shipped: Readonly<Record<string, Load>> = {
  backtest: () => import("./backtest/index.ts"),
  cleanup: () => import("./cleanup/index.ts"),
  command: () => import("./command/index.ts"),
  "data-purge": () => import("./data-purge/index.ts"),
  dq: () => import("./dq/index.ts"),
  "dq-file": () => import("./dq-file/index.ts"),
  "evacuate/collect": () => import("./evacuate/collect/index.ts"),
  "evacuate/cordon": () => import("./evacuate/cordon/index.ts"),
  "evacuate/manifest": () => import("./evacuate/manifest/index.ts"),
  "evacuate/open": () => import("./evacuate/open/index.ts"),
  "evacuate/push": () => import("./evacuate/push/index.ts"),
  "evacuate/recover": () => import("./evacuate/recover/index.ts"),
  "evacuate/report": () => import("./evacuate/report/index.ts"),
  "evacuate/stop": () => import("./evacuate/stop/index.ts"),
  "evacuate/verify": () => import("./evacuate/verify/index.ts"),
  "evacuate/volatile": () => import("./evacuate/volatile/index.ts"),
  features: () => import("./features/index.ts"),
  http: () => import("./http/index.ts"),
  "model-deploy": () => import("./model-deploy/index.ts"),
  "model-distribute": () => import("./model-distribute/index.ts"),
  "model-due": () => import("./model-due/index.ts"),
  "model-find": () => import("./model-find/index.ts"),
  "model-of-run": () => import("./model-of-run/index.ts"),
  "model-purge": () => import("./model-purge/index.ts"),
  "model-verify": () => import("./model-verify/index.ts"),
  notify: () => import("./notify/index.ts"),
  ops: () => import("./ops/index.ts"),
  preflight: () => import("./preflight/index.ts"),
  publish: () => import("./publish/index.ts"),
  "release-gate": () => import("./release-gate/index.ts"),
  restore: () => import("./restore/index.ts"),
  seed: () => import("./seed/index.ts"),
  snapshot: () => import("./snapshot/index.ts"),
  train: () => import("./train/index.ts"),
  "wait-for-file": () => import("./wait-for-file/index.ts"),
  "worm-append": () => import("./worm-append/index.ts"),
}

const shippedFile = (name: string): string => fileURLToPath(new URL(`${name}/index.ts`, import.meta.url))

const isTaskType = (candidate: unknown): candidate is AnyTaskType => {
  if (typeof candidate !== "object" || candidate === null) return false
  const { type, version, run, input, output } = candidate as Partial<AnyTaskType>
  return (
    typeof type === "string" &&
    Number.isInteger(version) &&
    typeof run === "function" &&
    Schema.isSchema(input) &&
    Schema.isSchema(output)
  )
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const loadOwn = Effect.fnUntraced(function* (name: string, file: string) {
  const broken = (reason: string) => new TaskTypeBroken({ type: name, reason: `${file}: ${reason}` })
  if (Object.hasOwn(shipped, name)) {
    return yield* broken("the name belongs to a task type that ships with dandori; rename the folder")
  }
  const ProgramModules = yield* Effect.promise(() => import("../src/program-modules.ts"))
  ProgramModules.register()
  const module: { default?: unknown } = yield* Effect.tryPromise({
    try: () => import(file),
    catch: (cause) => broken(reasonOf(cause)),
  })
  if (!isTaskType(module.default)) return yield* broken("its default export is not what taskType() returns")
  if (module.default.type === name) return module.default
  return yield* broken(`it calls itself "${module.default.type}"; folder and type must have one name`)
})

const make = Effect.fnUntraced(function* (project: string) {
  const lying = (yield* ProjectTaskTypes.isProgram(project)) ? [] : yield* ProjectTaskTypes.list(project)
  const own = new Map(
    lying.filter(({ name, file }) => file !== shippedFile(name)).map(({ name, file }) => [name, file]),
  )
  return Catalog.of({
    names: [...new Set([...Object.keys(shipped), ...own.keys()])].toSorted(),
    sources: (name) => (own.has(name) ? CodeDigest.ofProject(project) : undefined),
    load: (name) => {
      const file = own.get(name)
      if (file !== undefined) return loadOwn(name, file)
      const load = Object.hasOwn(shipped, name) ? shipped[name] : undefined
      return load === undefined
        ? Effect.undefined
        : Effect.promise(load).pipe(Effect.map((module) => module.default as AnyTaskType))
    },
  })
})

/** The task types that ship and those of a project: `<project>/tasks/<type>/index.ts`. */
export const layer = (project: string): Layer.Layer<Catalog> => Layer.effect(Catalog, make(project))

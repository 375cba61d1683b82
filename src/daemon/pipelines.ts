import { basename, extname, join, relative, resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import { compileFile } from "../compiler/compile-file.ts"
import { ConfiguredSchedules, ofSection } from "../domain/configured-schedules.ts"
import { type Plan, digest as digestOf } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as StoredPlan from "../engine/stored-plan.ts"
import * as Deployments from "../ledger/deployments.ts"
import { LedgerKey } from "../ledger/keys.ts"
import { Ledger } from "../ledger/ledger.ts"
import { Artifacts } from "../services/artifacts.ts"
import * as FilesPrint from "../services/files-print.ts"
import * as Monotonic from "../services/monotonic.ts"
import * as PipelineFile from "../services/pipeline-file.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import * as Deploy from "./deploy.ts"
import * as PlanSides from "./plan-sides.ts"
import { Surroundings } from "./surroundings.ts"

/** What is deployed of a pipeline. */
export interface Deployed {
  readonly plan: Plan
  readonly digest: Sha256
  /** The resolved configuration that its runs start with. */
  readonly config: Sha256
  /** When it was deployed (RFC 3339), and by whom. */
  readonly since: string
  readonly who: string
}

/** A pipeline as the daemon has it. */
export interface Pipeline {
  readonly id: string
  /** Absolute; none where it is not known. */
  readonly file?: string
  /** That no file has it any more, and no file that is broken may be its own. */
  readonly isGone: boolean
  readonly deployed?: Deployed
  /** Why its file is not what is deployed, and since when (milliseconds since the epoch). */
  readonly broken?: Problem
}

/** Why nothing is deployed of what has changed, and since when (milliseconds since the epoch). */
export interface Problem {
  readonly message: string
  readonly since: number
}

/** Why a file does not take over. */
interface Fault {
  readonly file: string
  readonly message: string
  /** Whether the file is that of the pipeline for sure. */
  readonly isCertain: boolean
  /** Whether it may pass without a change of a file. */
  readonly mayPass: boolean
}

/** Whether the machine did it to a file, and not what the file says. */
const mayPass = (error: { readonly _tag: string; readonly mayPass?: boolean }): boolean =>
  error._tag === "FileFailed" || error.mayPass === true

/**
 * How long after a failed look everything is looked at anew, though nothing has changed: each time longer, milliseconds.
 * Where nothing can be deployed at most so long; where only some files could not be compiled, which costs more, longer.
 */
const firstAgain = 2_000
const longestAgain = { problem: 60_000, faults: 3_600_000 } as const

/** The pipelines of the project: what is deployed of them, and what is wrong with their files. */
export class Pipelines extends Context.Service<
  Pipelines,
  {
    /** By id. */
    readonly current: () => ReadonlyMap<string, Pipeline>
    /**
     * Takes what is deployed, as it was recorded: what is good before the files have been looked at. Nothing is known of
     * their faults then.
     */
    readonly recall: Effect.Effect<void, { readonly message: string }>
    /** What is wrong with the configuration, if anything is: then nothing is deployed, since when (milliseconds since the epoch). */
    readonly problem: () => Problem | undefined
    /**
     * Deploys what has changed on disk and may be deployed: what compiles and weakens no safeguard. True where something
     * has changed since the last look; `anew` looks whether anything seems to have changed or not, as it is done now and
     * then while there is a problem: it may have passed without a change.
     */
    readonly reload: (anew: boolean) => Effect.Effect<boolean, { readonly message: string }>
  }
>()("dandori/daemon/Pipelines") {}

const make = Effect.fnUntraced(function* () {
  const { env, home, project, say } = yield* Surroundings
  const services = yield* Effect.context<Ledger | LedgerKey | Artifacts>()
  const artifacts = Context.get(services, Artifacts)
  const turn = Semaphore.makeUnsafe(1)
  let print: string | undefined
  let current: ReadonlyMap<string, Pipeline> = new Map()
  let problem: Problem | undefined
  /**
   * When it is looked whether what is wrong has passed by itself, by the clock that nobody sets, and how long it was waited
   * for that; undefined where nothing is wrong that may.
   */
  let again: { readonly at: number; readonly after: number } | undefined
  const lookAgain = Effect.fnUntraced(function* (isSame: boolean, why: keyof typeof longestAgain) {
    const after = isSame && again !== undefined ? Math.min(again.after * 2, longestAgain[why]) : firstAgain
    again = { at: (yield* Monotonic.millis) + after, after }
  })
  /** Files that plans name. */
  let named: ReadonlySet<string> = new Set()
  const plans = new Map<Sha256, Plan>()

  const planOf = Effect.fnUntraced(function* (digest: Sha256) {
    const known = plans.get(digest)
    if (known !== undefined) return known
    const plan = yield* Effect.provideService(StoredPlan.read(digest), Artifacts, artifacts)
    plans.set(digest, plan)
    return plan
  })

  const deployedOf = Effect.fnUntraced(function* ({ data, time, who }: Deployments.Deployment, config: Sha256) {
    return { plan: yield* planOf(data.plan), digest: data.plan, config, since: time, who } satisfies Deployed
  })

  const shown = (file: string) => relative(project, file)
  /** The ids that files had when they last compiled. */
  const ids = new Map<string, string>()
  /** The id of a file that does not compile: what it had before, what it says, or what it is called. */
  const idOf = Effect.fnUntraced(function* (file: string) {
    const said = ids.get(file) ?? (yield* PipelineFile.saidId(file))
    return { id: said ?? basename(file, extname(file)), isCertain: said !== undefined }
  })

  /** The files that compile, and by id why others do not. */
  const compileAll = Effect.fnUntraced(
    function* (configuration: SettingsFiles.Configuration) {
      const faults = new Map<string, Fault>()
      const sides: Array<PlanSides.FileSide> = []
      for (const file of yield* PipelineFile.filesIn(join(project, "pipelines"))) {
        const one = yield* compileFile(file).pipe(
          Effect.flatMap(({ plan }) => PlanSides.ofCompiled(project, [{ file, plan }], configuration)),
          Effect.result,
        )
        if (Result.isSuccess(one)) {
          sides.push(...one.success)
          for (const { side } of one.success) ids.set(file, side.plan.id)
          continue
        }
        const { id, isCertain } = yield* idOf(file)
        const message = one.failure.message.replaceAll(`${project}/`, "")
        faults.set(id, { file, message, isCertain, mayPass: mayPass(one.failure) })
      }
      for (const [id, same] of Map.groupBy(sides, ({ side }) => side.plan.id)) {
        // One pipeline written in both languages is one pipeline.
        if (new Set(same.map(({ side }) => digestOf(side.plan))).size === 1) continue
        const files = same.map(({ file }) => shown(file)).join(" and ")
        const message = `${files} have the same id ${id}: remove one of them`
        faults.set(id, { file: same[0].file, message, isCertain: true, mayPass: false })
      }
      const once = new Map(sides.toReversed().map((one) => [one.side.plan.id, one]))
      return { faults, sides: [...once.values()].filter(({ side }) => !faults.has(side.plan.id)) }
    },
    (effect, configuration) =>
      Effect.provideService(effect, ConfiguredSchedules, Effect.succeed(ofSection(configuration.sections.schedules))),
    Effect.provide(Catalog.layer(project)),
  )

  const weakens = ({ compiled, diff }: Deploy.Candidate) => {
    const places = diff.weaker.map(({ place, why }) => `${place}: ${why}`).join("; ")
    const next = `dandori deploy ${shown(compiled.file)} --accept-weaker REASON`
    return `it weakens safeguards (${places}), so what was deployed before stays. To accept this: ${next}`
  }

  const load = Effect.fnUntraced(function* () {
    const configuration = yield* SettingsFiles.load(project, env)
    const { faults, sides } = yield* compileAll(configuration)
    named = new Set(sides.flatMap(({ side }) => [...side.names.values()].flat().map((path) => resolve(project, path))))
    const { candidates } = yield* Deploy.deploy(home, sides, configuration, {
      choose: (all) => all.filter(({ diff }) => diff.weaker.length === 0),
    })
    for (const one of candidates) {
      const { file, side } = one.compiled
      if (one.diff.weaker.length > 0)
        faults.set(side.plan.id, { file, message: weakens(one), isCertain: true, mayPass: false })
    }
    const config = yield* artifacts.put("config.json", "application/json", SettingsFiles.resolved(configuration))
    const files = new Map(candidates.map(({ compiled }) => [compiled.side.plan.id, compiled.file]))
    const deployments = yield* Deployments.current(env)
    const now = yield* Clock.currentTimeMillis
    const found = new Map<string, Pipeline>()
    const mayBeAny = [...faults.values()].some(({ isCertain }) => !isCertain)
    for (const id of new Set([...deployments.keys(), ...files.keys(), ...faults.keys()])) {
      const deployment = deployments.get(id)
      const fault = faults.get(id)
      const file = files.get(id) ?? fault?.file
      const before = current.get(id)?.broken
      found.set(id, {
        id,
        isGone: file === undefined && !mayBeAny,
        ...(file === undefined ? {} : { file }),
        ...(deployment === undefined
          ? {}
          : {
              deployed: yield* deployedOf(
                deployment,
                fault === undefined ? config.sha256 : deployment.data.config.sha256,
              ),
            }),
        ...(fault === undefined
          ? {}
          : {
              broken: {
                message: fault.message,
                since: before?.message === fault.message ? before.since : now,
              },
            }),
      })
    }
    const used = new Set([...found.values()].map(({ deployed }) => deployed?.digest))
    for (const digest of plans.keys()) if (!used.has(digest)) plans.delete(digest)
    return { found, isPassing: [...faults.values()].some((fault) => fault.mayPass) }
  })

  /** Says what is wrong now and was not before. */
  const tell = Effect.fnUntraced(function* (next: ReadonlyMap<string, Pipeline>) {
    for (const { broken, deployed, file, id } of next.values()) {
      const before = current.get(id)
      const name = file === undefined ? id : shown(file)
      if (broken !== undefined && broken.message !== before?.broken?.message) yield* say(`${name}: ${broken.message}`)
      if (broken === undefined && before?.broken !== undefined) yield* say(`${name} is in order again`)
      if (deployed !== undefined && before !== undefined && deployed.digest !== before.deployed?.digest) {
        yield* say(`${name} is deployed anew`)
      }
    }
  })

  const folders = ["pipelines", "configs", "tasks"].map((name) => join(project, name))
  const lookAtFiles = Effect.suspend(() => FilesPrint.of(folders, named))
  const lookAtDeployments = Effect.map(Deployments.current(env), (all) =>
    [...all.values()].map(({ data, time }) => `${data.plan} ${time}`).join(),
  )

  const recall = Effect.gen(function* () {
    const all = yield* PipelineFile.filesIn(join(project, "pipelines"))
    const files = new Map(yield* Effect.forEach(all, (file) => Effect.map(idOf(file), ({ id }) => [id, file] as const)))
    const found = new Map<string, Pipeline>()
    for (const [id, deployment] of yield* Deployments.current(env)) {
      const file = files.get(id)
      const deployed = yield* deployedOf(deployment, deployment.data.config.sha256)
      found.set(id, { id, deployed, isGone: false, ...(file === undefined ? {} : { file }) })
    }
    current = found
    problem = undefined
    again = undefined
    print = undefined
  })

  return Pipelines.of({
    recall: turn.withPermit(Effect.provide(recall, services)),
    current: () => current,
    problem: () => problem,
    reload: Effect.fnUntraced(
      function* (anew) {
        const files = yield* lookAtFiles
        const isSame = print === `${files} ${yield* lookAtDeployments}`
        const isDue = again !== undefined && (yield* Monotonic.millis) >= again.at
        if (!anew && isSame && !isDue) return false
        const loaded = yield* Effect.result(load().pipe(Effect.provide(Catalog.layer(project))))
        if (Result.isFailure(loaded)) {
          const message = loaded.failure.message.replaceAll(`${project}/`, "")
          if (message !== problem?.message) yield* say(`Nothing is deployed: ${message}`)
          problem = { message, since: problem?.since ?? (yield* Clock.currentTimeMillis) }
          print = `${files} ${yield* lookAtDeployments}`
          yield* lookAgain(isSame, "problem")
          return anew || !isSame
        }
        if (problem !== undefined) yield* say("What kept everything from being deployed is mended")
        problem = undefined
        const { found, isPassing } = loaded.success
        yield* tell(found)
        current = found
        if (isPassing) yield* lookAgain(isSame, "faults")
        else again = undefined
        // Files that have changed meanwhile are looked at again.
        print = `${files} ${yield* lookAtDeployments}`
        return true
      },
      Effect.provide(services),
      turn.withPermit,
    ),
  })
})

export const layer = Layer.effect(Pipelines, make())

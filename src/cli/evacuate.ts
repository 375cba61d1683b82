import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import shippedPipeline from "../../pipelines/evacuate.yaml" with { type: "text" }
import { compileFile } from "../compiler/compile-file.ts"
import { ConfiguredSchedules, ofSection, withoutRetries } from "../domain/configured-schedules.ts"
import { exitCodeOf, standingOf } from "../domain/evacuation-outcome.ts"
import { type IncidentCall, IncidentId } from "../domain/incident.ts"
import type { Plan } from "../domain/plan.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as Resume from "../engine/resume.ts"
import * as Run from "../engine/run.ts"
import * as Checkpoint from "../ledger/checkpoint.ts"
import * as Root from "../ledger/root.ts"
import * as Durable from "../services/durable-files.ts"
import * as Incidents from "../services/evacuation/incident/incidents.ts"
import * as MachineCode from "../services/machine-code.ts"
import { Observer } from "../services/observer.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import * as Confirm from "./confirm.ts"
import * as EvacuatePlace from "./evacuate-place.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Interrupts from "./interrupts.ts"
import * as Output from "./output.ts"
import * as Project from "./project.ts"
import * as EvacuationView from "./render/evacuation-view.ts"
import { who } from "./who.ts"

/** What a person asks of an evacuation. */
export interface Asked {
  readonly incident: string | undefined
  readonly destination: string | undefined
  readonly deadline: string | undefined
  readonly reason: string
  readonly drill: boolean
  readonly mayShrink: boolean
  readonly yes: boolean
}

const isIncidentId = Schema.is(IncidentId)

const checked = Effect.fnUntraced(function* ({ deadline, incident }: Asked) {
  if (incident !== undefined && !isIncidentId(incident)) {
    const reason = `--incident ${incident}: a plain name of at most 64 characters, like IR-20260505T031400Z`
    return yield* new Output.UsageError({ reason })
  }
  const millis = deadline === undefined ? undefined : parseDuration(deadline)
  if (deadline !== undefined && (millis === undefined || millis <= 0)) {
    return yield* new Output.UsageError({ reason: `--deadline ${deadline}: a duration with a unit, like 10m` })
  }
  return millis
})

/** The project's own pipeline `evacuate` where it has one that compiles, else the one that ships. */
const planOf = Effect.fnUntraced(function* ({ configuration, home, project }: EvacuatePlace.Place) {
  const schedules = withoutRetries(Effect.succeed(ofSection(configuration.sections.schedules)))
  const compile = (file: string) =>
    compileFile(file).pipe(
      Effect.provideService(ConfiguredSchedules, schedules),
      Effect.provide(Catalog.layer(project)),
    )
  const own = join(project, "pipelines", "evacuate.yaml")
  const shipped = join(home, "evacuate.yaml")
  const fallBack = Effect.gen(function* () {
    yield* Durable.attempt("write", shipped, () => Fs.writeFile(shipped, shippedPipeline))
    return yield* compile(shipped)
  })
  const isThere = yield* Effect.promise(() => Bun.file(own).exists())
  if (!isThere) return (yield* fallBack).plan
  const { plan } = yield* compile(own).pipe(
    Effect.catch((error) =>
      Effect.andThen(Output.message(`${error.message}\nThe pipeline that ships is run in its place.`), fallBack),
    ),
  )
  return plan
})

/** Whether this is a drill: an incident stays what it was opened as. */
const isDrill = Effect.fnUntraced(function* ({ drill, incident }: Asked, { home, projectHome }: EvacuatePlace.Place) {
  if (incident === undefined) return drill
  const earlier = yield* Effect.flatMap(Incidents.Incidents, ({ find }) => Effect.option(find(incident))).pipe(
    Effect.provide(Incidents.layer({ root: join(home, "incidents"), projectHome })),
  )
  if (Option.isNone(earlier)) return drill
  if (!drill || earlier.value.incident.drill) return earlier.value.incident.drill
  const reason = `${incident} is no drill: leave out --drill, or practise under another id`
  return yield* new Output.UsageError({ reason })
})

/** The run of an earlier call for this incident that has not ended; undefined where there is none to go on with. */
const unfinished = (incident: string | undefined, call: Partial<IncidentCall>) =>
  Effect.gen(function* () {
    if (incident === undefined) return undefined
    const incidents = yield* Incidents.Incidents
    const folder = yield* Effect.option(incidents.find(incident))
    if (Option.isNone(folder) || folder.value.call.run === undefined) return undefined
    const { run } = folder.value.call
    const recalled = yield* Resume.recall(run)
    const { began } = folder.value.call
    yield* Incidents.writeDocument(folder.value.path, "call.json", { began, run, ...call })
    return { run, recalled }
  })

/** Whether somebody cancelled a run or stopped its process, rather than that it came to its end. */
const isStopped = ({ status }: Run.RunResult["state"]): boolean =>
  status === "created" || status === "running" || status === "cancelling" || status === "cancelled"

/** Evacuates: opens an incident or goes on with one, and does what the pipeline `evacuate` says. */
export const evacuate = Effect.fn("evacuate")(function* (asked: Asked) {
  const lasts = yield* checked(asked)
  const place = yield* EvacuatePlace.find(asked.incident, true)
  for (const text of place.degraded) yield* Output.message(`degraded: ${text}`)
  const drill = yield* isDrill(asked, place)
  const hint = yield* Hint.here
  const plan: Plan = yield* planOf(place)
  if (!drill) {
    const stops = place.configuration.sections.evacuation.stop.map(({ name }) => name).join(", ")
    const agreed = yield* Confirm.confirm({
      yes: asked.yes,
      noInput: place.flags.noInput,
      what: `This keeps new work in ${place.project} from starting, stops ${stops === "" ? "nothing" : stops} on this machine, and sends the evidence away. Look first: ${hint.files("evacuate --dry-run")}`,
      question: "Evacuate now?",
    })
    if (!agreed) return yield* Output.exitWith(ExitCode.exitCodes.interrupted)
  }
  const now = yield* Clock.currentTimeMillis
  const call: Partial<IncidentCall> = {
    ...(lasts === undefined ? {} : { deadline: now + lasts }),
    ...(asked.destination === undefined ? {} : { destination: asked.destination }),
    ...(asked.mayShrink ? { mayShrink: true } : {}),
  }
  const view = yield* EvacuationView.make({
    plan,
    project: place.project,
    deadline: call.deadline,
    named: asked.destination,
    drill,
    json: place.flags.json,
    quiet: place.flags.quiet,
    hint,
  })
  const options = {
    capacity: Project.capacityOf(place.configuration),
    who: who(),
    control: Interrupts.control(view.say),
    wait: false,
  }
  const start = Run.start({
    ...options,
    plan,
    params: {
      incident: asked.incident ?? "",
      reason: asked.reason,
      destination: asked.destination ?? "",
      deadline: asked.deadline ?? "",
      drill,
      may_shrink: asked.mayShrink,
    },
    env: place.configuration.env,
    environment: {},
    config: SettingsFiles.resolved(place.configuration),
    durability: "fsync",
  })
  const startAnew = (why: string) => {
    view.say(
      `The earlier run cannot be gone on with, so a new one begins; what was confirmed is not sent again: ${why}`,
    )
    return start
  }
  const go = Effect.gen(function* () {
    const earlier = yield* Effect.result(unfinished(asked.incident, call))
    if (Result.isFailure(earlier)) return yield* startAnew(earlier.failure.message)
    if (earlier.success === undefined) return yield* start
    const { recalled, run } = earlier.success
    const resumed = yield* Effect.result(Resume.resume(run, recalled, { ...options, now }))
    if (Result.isFailure(resumed)) {
      const error = resumed.failure
      if (error._tag === "StreamBusy") return yield* error
      return yield* error._tag === "RunEnded" ? start : startAnew(error.message)
    }
    // Its steps may have ended while the disk was full or the network away, before it was cut off.
    const isOver = lasts !== undefined && (yield* Clock.currentTimeMillis) >= now + lasts
    const isWhole = standingOf(view.outcome()) === "complete"
    if (isWhole || isOver || isStopped(resumed.success.state)) return resumed.success
    view.say("What the earlier call had left out is taken up now.")
    yield* view.anew
    return yield* start
  })
  yield* Effect.sync(MachineCode.usual).pipe(
    Effect.andThen(Root.reconcile()),
    Effect.andThen(go),
    Effect.tap(Checkpoint.make()),
    Effect.provideService(Observer, view.observer),
    Effect.provide(
      Project.services({
        project: place.project,
        home: place.home,
        configuration: place.configuration,
        evacuates: place.projectHome,
      }),
    ),
    Effect.onInterrupt(() => view.left),
    Effect.ensuring(view.stop),
  )
  const outcome = view.outcome()
  yield* view.finish(outcome)
  yield* Output.exitWith(exitCodeOf(outcome))
}, Effect.scoped)

import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { Actor } from "../domain/actor.ts"
import type { Capacity, Event, EventData } from "../domain/event.ts"
import type { Trigger } from "../domain/trigger.ts"
import * as Durability from "../domain/durability.ts"
import type { EnvironmentName } from "../domain/names.ts"
import type { Plan } from "../domain/plan.ts"
import { type Sha256, of } from "../domain/sha256.ts"
import { LedgerFailed } from "../ledger/errors.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Artifacts } from "../services/artifacts.ts"
import { CodeDigest } from "../services/code-digest.ts"
import { Ids } from "../services/ids.ts"
import { Secrets } from "../services/secrets.ts"
import { Observer } from "../services/observer.ts"
import * as Books from "./books.ts"
import * as Errors from "./errors.ts"
import { evolve } from "./evolve.ts"
import * as Execution from "./execution.ts"
import * as Holding from "./holding.ts"
import * as Outputs from "./large-outputs.ts"
import * as OutputLimit from "./output-limit.ts"
import * as Prepared from "./prepared.ts"
import type { RunContext } from "./run-context.ts"
import { type RunState, initial } from "./run-state.ts"
import * as Turn from "./turn.ts"
import * as Takeover from "./takeover.ts"

/** What a run needs that its plan does not say. */
export interface RunRequest extends Durability.Durability {
  readonly plan: Plan
  readonly params: Readonly<Record<string, unknown>>
  readonly env: EnvironmentName
  readonly environment: Readonly<Record<string, string>>
  /** The resolved configuration as canonical JSON, secrets as references. */
  readonly config: string
  readonly capacity: Capacity
  readonly who: string
  /** The id that it is to have; a new one where none is given. */
  readonly id?: string
  /** Who asked for it, where that is not whom the ledger was opened for: the author of `run.created`. */
  readonly by?: Actor
  readonly control?: Execution.Control
  /** Whether to stay while only people are awaited. */
  readonly wait?: boolean
  /** What asks for it, where that is no person at a command line. */
  readonly trigger?: Trigger
  /** The nominal time of a schedule's tick, RFC 3339. */
  readonly tick?: string
  /** What is taken over from an earlier run. */
  readonly takeover?: Takeover.Takeover
}

/** A task asks for more than this machine offers, so the run could never end. */
export class ResourcesMissing extends Schema.TaggedError<ResourcesMissing>()("ResourcesMissing", {
  task: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `Task ${this.task} can never start: ${this.reason}. Change the task's resources, or the resources section of the configuration`
  }
}

/** The params are too large for the run's first event. */
export class ParamsTooLarge extends Schema.TaggedError<ParamsTooLarge>()("ParamsTooLarge", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** How a run ended, or that it waits for people. */
export interface RunResult {
  readonly run: string
  readonly state: RunState
  /** What could not be written of a best-effort run's record. */
  readonly incomplete?: Books.Incomplete
}

const failWith = (stream: string) => (error: { readonly message: string }) =>
  new LedgerFailed({ stream, reason: error.message, cause: error })

/** Fails when a task could never start on this capacity. */
export const checkCapacity = Effect.fnUntraced(function* (plan: Plan, capacity: Capacity) {
  for (const task of plan.tasks) {
    const reason = task.resources === undefined ? undefined : Holding.impossible(capacity, task.resources)
    if (reason !== undefined) return yield* new ResourcesMissing({ task: task.id, reason })
  }
})

/** Makes the secrets that a plan names known from the start, so that none of them gets into a record before its task runs. */
export const primeSecrets = Effect.fnUntraced(function* (plan: Plan) {
  const secrets = yield* Secrets
  yield* secrets.prime(plan.tasks.map((task) => task.with))
})

/** The facts that all attempts of a run share, from its first event and its time. */
export const contextOf = (
  run: string,
  created: EventData<"dev.dandori.run.created.v1"> & { readonly time: number },
  people: Pick<RunContext, "who" | "requester">,
  opened: RunContext["opened"],
): RunContext => ({
  opened,
  id: run,
  pipeline: created.pipeline,
  plan: created.plan,
  env: created.env,
  ...people,
  created: created.time,
  params: created.params,
  environment: created.environment,
  ...(created.only === undefined ? {} : { only: created.only }),
})

/** Runs a plan once: stores it, opens the run's stream, drives it to its end, closes the books. */
export const start = Effect.fn("Run.start")(function* (request: RunRequest) {
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  const ids = yield* Ids
  const code = (yield* CodeDigest)()
  const tooLarge = OutputLimit.refuseParams(request.params)
  if (tooLarge !== undefined) return yield* new ParamsTooLarge({ reason: tooLarge })
  const prepared = yield* Prepared.prepare(request.plan)
  yield* primeSecrets(request.plan)
  yield* checkCapacity(request.plan, request.capacity)
  const planText = CanonicalJson.encode(request.plan)
  const [planArtifact, config] = yield* Effect.all(
    [
      artifacts.put("plan.json", "application/json", planText),
      artifacts.put("config.json", "application/json", request.config),
    ],
    { concurrency: 2 },
  )
  const run = request.id ?? ids.uuid()
  const data: EventData<"dev.dandori.run.created.v1"> = {
    pipeline: request.plan.id,
    plan: of(planText),
    planArtifact,
    config,
    params: request.params,
    env: request.env,
    environment: request.environment,
    capacity: request.capacity,
    durability: request.durability,
    ...(request.flushIntervalMillis === undefined ? {} : { flushIntervalMillis: request.flushIntervalMillis }),
    code,
    ...(request.trigger === undefined ? {} : { trigger: request.trigger }),
    ...(request.tick === undefined ? {} : { tick: request.tick }),
    ...(request.takeover === undefined ? {} : { from: request.takeover.from, taken: request.takeover.events.length }),
    ...(request.takeover?.only === undefined ? {} : { only: request.takeover.only }),
  }
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const stream = StreamName.ofRun(run)
      const { concurrency } = request.plan
      const turn =
        concurrency?.onConflict === "fail" ? yield* Turn.takeNow(run, concurrency, request.capacity) : undefined
      const { audit } = request.plan
      const writer = yield* ledger.create(stream, { audit, flushMillis: Durability.flushMillis(request) })
      const created: Event = { type: "dev.dandori.run.created.v1", data }
      const first = writer.append(created, run, request.by)
      const recorded: Array<Event & { readonly time: number }> = [{ ...created, time: first.time }]
      for (const taken of request.takeover?.events ?? []) {
        const event = Takeover.begunAt(taken, request.plan, first.time)
        const subject = "task" in event.data ? `${run}/${event.data.task}` : run
        recorded.push({ ...event, time: writer.append(event, subject).time })
      }
      const written = yield* Effect.forkScoped(writer.durable, { startImmediately: true })
      // The flush begins now; what follows is made ready meanwhile.
      yield* Effect.yieldNow
      let unopened: Sha256 | undefined
      const opening = Root.opened(stream, first.hash).pipe(Effect.provideService(Ledger, ledger))
      const opened = Deferred.makeUnsafe<void, Errors.LedgerLost>()
      const observer = yield* Observer
      const begun = Effect.gen(function* () {
        yield* Effect.mapError(Fiber.join(written), failWith(stream))
        yield* (
          audit === "required"
            ? opening
            : Effect.catchTag(opening, "LedgerFailed", () => Effect.sync(() => void (unopened = first.hash)))
        ).pipe(
          Effect.mapError((error) => new Errors.LedgerLost({ run, reason: error.message })),
          Deferred.into(opened),
          Effect.forkIn(scope, { startImmediately: true }),
        )
        yield* Effect.yieldNow
        for (const event of recorded) observer.onEvent({ ...event, run })
      })
      const state = recorded.reduce(evolve, initial(prepared.plan))
      const known = Deferred.await(opened)
      const context = contextOf(
        run,
        { ...data, time: first.time },
        { who: request.who, requester: request.by?.authid ?? request.who },
        known,
      )
      const options: Execution.Options<LedgerFailed> = {
        prepared,
        context,
        writer,
        state,
        begun,
        largeOutputs: yield* Outputs.loadLarge(state),
        ...(turn === undefined ? {} : { turn }),
        ...(request.control === undefined ? {} : { control: request.control }),
        ...(request.wait === undefined ? {} : { wait: request.wait }),
      }
      const final = yield* Execution.execute(options)
      yield* known
      const incomplete = yield* Books.close(run, final, writer, unopened)
      return { run, state: final, ...(incomplete === undefined ? {} : { incomplete }) } satisfies RunResult
    }),
  )
})

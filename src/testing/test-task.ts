import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Sha256 from "../domain/sha256.ts"
import type { TaskError, TaskType } from "../domain/task-type.ts"
import * as Errors from "../engine/errors.ts"
import { prepareType } from "../engine/prepared.ts"
import type { TaskServices } from "../engine/task-services.ts"
import { Attempt } from "../services/attempt.ts"
import { AttemptFiles } from "../services/attempt-files.ts"
import { Progress } from "../services/progress.ts"
import * as ProjectCatalog from "../../tasks/catalog.ts"
import * as Casting from "./casting.ts"
import * as FixedIds from "./fixed-ids.ts"
import * as Place from "./place.ts"
import * as VirtualClock from "./virtual-clock.ts"

/** An input that does not fit the task type's schema. */
export class InputInvalid extends Schema.TaggedError<InputInvalid>()("InputInvalid", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** The task type gave something that does not fit its output schema. */
export class OutputInvalid extends Schema.TaggedError<OutputInvalid>()("OutputInvalid", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** What a test of a task type says besides its input. */
export interface TaskOptions<A, E> {
  /** Services in place of the embedded ones; they may use those. */
  readonly layers?: Layer.Layer<A, E, TaskServices>
  /** The project's folder; default: the nearest one, from the working folder upwards. */
  readonly project?: string
}

/** The first attempt of a task called `task`, whose log goes nowhere. */
const attemptOf = (type: string, place: Place.Place, files: AttemptFiles["Service"]): Attempt["Service"] => {
  const run = FixedIds.make(place.clock, 0).uuid()
  return {
    run,
    pipeline: "test",
    task: "task",
    attempt: 1,
    plan: Sha256.of("plan"),
    env: "dev",
    idempotencyKey: `${run}/task`,
    intent: Sha256.of(`intent of ${type}`),
    runCreated: Place.start,
    who: "tester",
    requester: "tester",
    approvedBy: [],
    get scratch() {
      return files.scratch(run, "task", 1)
    },
    log: () => Effect.void,
    note: () => Effect.void,
  }
}

/**
 * Runs a task type once as the engine does: `input` (JSON, as a plan has it after its expressions) is decoded by the
 * type's schema, and the output goes through its schema and back. Time is virtual and starts at 2025-01-01 00:00 UTC:
 * what waits by `Effect.sleep` waits no real time. Fails with the type's own errors, `InputInvalid` or `OutputInvalid`.
 *
 * @example
 * expect(await Effect.runPromise(testTask(greet, { name: "Ada" }))).toEqual({ greeting: "Hello, Ada" })
 * const error = await Effect.runPromise(Effect.flip(testTask(greet, { name: "" })))
 */
export const testTask = <I, O, E extends TaskError, R, A = never, LE = never>(
  type: TaskType<I, O, E, R>,
  input: unknown,
  options: TaskOptions<A, LE> = {},
) =>
  Effect.gen(function* () {
    const prepared = prepareType(type, undefined)
    const fault = (tag: string, what: string, exit: Exit.Exit<unknown, unknown>) =>
      Errors.decodeFailure(tag, `${what} of ${type.type}`, exit).message
    const decoded = prepared.decodeInput(input)
    if (Exit.isFailure(decoded)) return yield* new InputInvalid({ reason: fault("InputInvalid", "The input", decoded) })
    const place = yield* Place.make(options.project)
    const services = Place.services(place, ProjectCatalog.layer(place.project), options)
    const output = yield* Effect.gen(function* () {
      const files = yield* AttemptFiles
      const own = Context.make(Attempt, attemptOf(type.type, place, files)).pipe(
        Context.add(Progress, { report: () => Effect.void }),
      )
      const work = Effect.scoped(type.run(decoded.value as I)) as Effect.Effect<O, E>
      place.clock.hold("task")
      return yield* Effect.provideContext(Casting.asReal(place.clock, "task", work), own as Context.Context<never>)
    }).pipe(Effect.provide(services), VirtualClock.provide(place.clock))
    const encoded = prepared.encodeOutput(output)
    if (Exit.isFailure(encoded)) {
      return yield* new OutputInvalid({ reason: fault("OutputInvalid", "The output", encoded) })
    }
    const back = prepared.decodeOutput(encoded.value)
    if (Exit.isFailure(back)) return yield* new OutputInvalid({ reason: fault("OutputInvalid", "The output", back) })
    return back.value as O
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

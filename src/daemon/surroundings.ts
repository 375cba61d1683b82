import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Capacity } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import type * as Resume from "../engine/resume.ts"
import type * as Run from "../engine/run.ts"
import type { Configuration } from "../services/settings-files.ts"

/** What a run needs cannot be made, or is not there. */
export class SurroundingsMissing extends Schema.TaggedError<SurroundingsMissing>()("SurroundingsMissing", {
  reason: Schema.String,
}) {
  override get message() {
    return this.reason
  }
}

/** All that the engine asks for when it starts a run or goes on with one. */
export type RunServices = Exclude<
  Effect.Services<ReturnType<typeof Run.start>> | Effect.Services<ReturnType<typeof Resume.resume>>,
  Scope.Scope
>

/** Those services, and what is to be told to others when a run has ended. */
export interface Place {
  readonly services: Context.Context<RunServices>
  readonly capacity: Capacity
  /** `only`: the one task that was run. */
  readonly afterRun: (result: Run.RunResult, only: string | undefined) => Effect.Effect<void>
}

/** What is around the runs of a daemon: the project, the machine and the environment's variables. */
export class Surroundings extends Context.Service<
  Surroundings,
  {
    readonly project: string
    readonly home: string
    readonly env: string
    /** The user of the operating system whose process this is. */
    readonly who: string
    /** The services of a configuration, as long as the scope is open. */
    readonly place: (configuration: Configuration) => Effect.Effect<Place, SurroundingsMissing, Scope.Scope>
    /** The variables that a plan declares, with their values. */
    readonly environment: (plan: Plan) => Effect.Effect<Readonly<Record<string, string>>, SurroundingsMissing>
    /** Says a line to whoever watches the process. */
    readonly say: (text: string) => Effect.Effect<void>
    /** Gives the machine back the memory that nobody needs any more, in some tens of milliseconds. */
    readonly giveBack: Effect.Effect<void>
  }
>()("dandori/daemon/Surroundings") {}

import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Sha256 } from "./sha256.ts"
import type { AnyTaskType } from "./task-type.ts"

/** A task type's folder could not be loaded. */
export class TaskTypeBroken extends Schema.TaggedError<TaskTypeBroken>()("TaskTypeBroken", {
  type: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `The task type ${this.type} cannot be loaded: ${this.reason}`
  }
}

/** The task types that pipelines may use, loaded when they are asked for. */
export class Catalog extends Context.Service<
  Catalog,
  {
    readonly names: ReadonlyArray<string>
    /** The task type; undefined when there is none of this name. */
    readonly load: (type: string) => Effect.Effect<AnyTaskType | undefined, TaskTypeBroken>
    /** Digest of the sources of a task type that is not part of the program; undefined for those that are. */
    readonly sources?: (type: string) => Sha256 | undefined
  }
>()("dandori/domain/Catalog") {}

import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A path that lies outside the project and the configured roots, links followed. */
export class PathRefused extends Schema.TaggedError<PathRefused>()("PathRefused", {
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The path ${this.path} is refused: ${this.reason}`
  }
}

/** Where the project is and which paths may be touched. */
export class Workspace extends Context.Service<
  Workspace,
  {
    /** The project's folder, absolute. */
    readonly project: string
    /** `.dandori` beside `configs/`, or `$DANDORI_HOME`, absolute. */
    readonly home: string
    /**
     * Absolute path of a project-relative or absolute path. Links are followed; the result must lie under the
     * project, the home or a configured root (or, on a command line, be named by the user).
     */
    readonly resolve: (path: string) => Effect.Effect<string, PathRefused>
    /** The path as it goes into outputs and events: relative to the project where it lies in it. */
    readonly display: (path: string) => string
  }
>()("dandori/services/Workspace") {}

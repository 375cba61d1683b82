import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

/** `dandori graph FILE`: the tasks of a pipeline and what they wait for, as a drawing. */
export const graph = Command.make(
  "graph",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A pipeline file, or the id of one in pipelines/")),
    format: Flag.Literals("format", ["terminal", "mermaid", "dot", "svg"]).pipe(
      Flag.withAlias("f"),
      Flag.withDescription("terminal (default), mermaid, dot of Graphviz, or svg"),
      Flag.withDefault("terminal"),
    ),
  },
  Effect.fn(function* ({ file, format }) {
    const { drawGraph } = yield* Effect.promise(() => import("../pipeline-graph.ts"))
    yield* drawGraph(file, format)
  }),
).pipe(Command.withDescription("Draw a pipeline's tasks and what they wait for"))

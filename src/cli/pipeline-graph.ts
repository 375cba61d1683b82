import * as Effect from "effect/Effect"
import * as Dot from "../compiler/graph-dot.ts"
import { drawn } from "../compiler/graph-groups.ts"
import * as Mermaid from "../compiler/graph-mermaid.ts"
import * as Svg from "../compiler/graph-svg.ts"
import * as Terminal from "../compiler/graph-terminal.ts"
import { planOf } from "./pipeline-plan.ts"
import * as Output from "./output.ts"
import * as ProjectReaders from "./project-readers.ts"

const formats = { terminal: Terminal.draw, mermaid: Mermaid.draw, dot: Dot.draw, svg: Svg.draw }

const mostInPicture = 2_000

/** Draws the plan of a pipeline. */
export const drawGraph = Effect.fnUntraced(function* (name: string, format: keyof typeof formats) {
  const plan = yield* planOf(name)
  if (format === "svg" && plan.tasks.length > mostInPicture) {
    const reason = `${plan.tasks.length} tasks are too many for a picture (at most ${mostInPicture}). Take --format dot, or terminal for a list.`
    return yield* new Output.UsageError({ reason })
  }
  const drawing = formats[format](drawn(plan))
  const { flags } = yield* ProjectReaders.find
  yield* flags.json ? Output.json({ v: 1, kind: "graph", pipeline: plan.id, format, drawing }) : Output.data(drawing)
})

import * as Effect from "effect/Effect"
import * as Dot from "../compiler/graph-dot.ts"
import * as Mermaid from "../compiler/graph-mermaid.ts"
import * as Terminal from "../compiler/graph-terminal.ts"
import { planOf } from "./pipeline-plan.ts"
import * as Output from "./output.ts"

const formats = { terminal: Terminal.draw, mermaid: Mermaid.draw, dot: Dot.draw }

/** Draws the plan of a pipeline. */
export const drawGraph = Effect.fnUntraced(function* (name: string, format: keyof typeof formats) {
  yield* Output.data(formats[format](yield* planOf(name)))
})

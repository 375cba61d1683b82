/** A graph of layers: each task needs two of the layer before. */
import * as LargeRun from "./large-run.ts"

export const bench = LargeRun.benchOf("mixed")

/** A deep graph: each task needs the one before. */
import * as LargeRun from "./large-run.ts"

export const bench = LargeRun.benchOf("chain")

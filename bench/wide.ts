/** A wide graph: tasks that need nothing. */
import * as LargeRun from "./large-run.ts"

export const bench = LargeRun.benchOf("wide")

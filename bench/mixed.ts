/** A mixed graph: blocks of a fan-out, a fan-in and a chain. */
import * as LargeRun from "./large-run.ts"

export const bench = LargeRun.benchOf("mixed")

type CelLibrary = typeof import("@marcbachmann/cel-js/evaluator")

let read: CelLibrary | undefined

/**
 * The CEL library, read when an expression needs it: most only name an output, which is looked up without it. By
 * `require`, since expressions are compiled within functions that do not wait.
 */
export const celLibrary = (): CelLibrary => (read ??= require("@marcbachmann/cel-js/evaluator") as CelLibrary)

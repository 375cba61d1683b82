import * as Context from "effect/Context"

/**
 * Told of each sign of life of the attempt that runs here: a line of its log, progress, output of a child process. The
 * engine provides it where the task has a heartbeat; nobody listens by default.
 */
export const LifeSign = Context.Reference<() => void>("dandori/services/LifeSign", {
  defaultValue: () => () => {},
})

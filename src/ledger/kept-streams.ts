import * as StreamName from "./stream-name.ts"

/** Streams as this process read them. */
export interface KeptStreams<A extends object> {
  readonly get: (stream: string) => A | undefined
  readonly set: (stream: string, read: A) => void
  readonly delete: (stream: string) => void
}

/**
 * Keeps the run that was read last: cache hits read one run again and again. Of `root`, `system` and schedules, which grow
 * for ever, nothing is kept that the collector of memory wants back.
 */
export const make = <A extends object>(): KeptStreams<A> => {
  let last: { readonly stream: string; readonly read: A } | undefined
  const gathering = new Map<string, WeakRef<A>>()
  return {
    get: (stream) => (last?.stream === stream ? last.read : gathering.get(stream)?.deref()),
    set: (stream, read) => {
      if (StreamName.runOf(stream) === undefined) gathering.set(stream, new WeakRef(read))
      else last = { stream, read }
    },
    delete: (stream) => {
      gathering.delete(stream)
      if (last?.stream === stream) last = undefined
    },
  }
}

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** What stays of the time for the manifest, the verification and the report, at least and at most, milliseconds. */
const leastMillis = 500
const mostShare = { asking: 0.3, reading: 0.5 }
/** Requests that the bundles' own files take, about, one after the other. */
const ownRequests = 16
/** What it takes to write a manifest's line and to read it again, milliseconds. */
const lineMillis = 0.05

/** Measures how fast objects go, and says when to stop so that what has to come after them fits before the deadline. */
export interface PushDeadline {
  /** An object was confirmed after so long. */
  readonly took: (millis: number, bytes: number) => void
  /** Milliseconds that are left for pushing; undefined where there is no deadline. */
  readonly left: Effect.Effect<number | undefined>
}

/** `deadline` and `began` are milliseconds since the epoch; `parallel` is how many objects are confirmed at a time. */
export const make = (options: {
  readonly began: number
  readonly deadline: number | undefined
  readonly parallel: number
  readonly readsBack: boolean
  readonly objects: number
}): PushDeadline => {
  const { began, deadline, parallel, readsBack } = options
  /** Of small objects: about what one question takes. */
  const small: Array<number> = []
  let objects = options.objects
  let busyMillis = 0
  const took = (millis: number, size: number) => {
    objects++
    busyMillis += millis
    if (size > 1 << 20) return
    small.push(millis)
    if (small.length > 64) small.shift()
  }
  const reserve = () => {
    const request = small.reduce((sum, millis) => sum + millis, 0) / Math.max(1, small.length)
    const asking = readsBack ? busyMillis / parallel : (objects * request) / parallel
    return leastMillis + asking + ownRequests * request + objects * lineMillis
  }
  return {
    took,
    left:
      deadline === undefined
        ? Effect.undefined
        : Effect.map(Clock.currentTimeMillis, (now) => {
            const most = Math.max(leastMillis, (deadline - began) * (readsBack ? mostShare.reading : mostShare.asking))
            return deadline - now - Math.min(reserve(), most)
          }),
  }
}

import type { Clock } from "effect/Clock"

/**
 * UUIDv7 (RFC 9562, section 5.7) from a clock and a count, so that the same run names everything alike. `series` (0 to 3)
 * keeps two sources of one test apart.
 */
export const make = (clock: Clock, series: number): { readonly uuid: () => string } => {
  let count = 0
  return {
    uuid: () => {
      const time = Math.floor(clock.currentTimeMillisUnsafe()).toString(16).padStart(12, "0")
      const tail = (++count).toString(16).padStart(12, "0")
      return `${time.slice(0, 8)}-${time.slice(8)}-7000-${(8 + series).toString(16)}000-${tail}`
    },
  }
}

import * as Effect from "effect/Effect"
import { type Capture, NothingToTake } from "./capture.ts"
import * as Machine from "./machine-files.ts"

/** The kernel's own account of memory, of what waits for what, and of the load. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    const count = yield* Machine.addAll(lines, [
      "/proc/meminfo",
      "/proc/vmstat",
      "/proc/pressure/memory",
      "/proc/pressure/cpu",
      "/proc/pressure/io",
      "/proc/swaps",
      "/proc/loadavg",
      "/proc/buddyinfo",
    ])
    if (count === 0) return yield* new NothingToTake({ reason: "there is no /proc/meminfo on this machine" })
  })

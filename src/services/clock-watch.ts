import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as ClockLook from "../domain/clock-look.ts"
import * as Libc from "./libc.ts"

/** Between the first and the last clock of one reading, milliseconds, unless the machine is so busy that it is never less. */
const atOnceMillis = 5
const mostTries = 10

/** The clocks of this machine at one moment: read again where the process was stopped between one and the next. */
const read = (): ClockLook.Reading => {
  for (let tries = 1; ; tries++) {
    const passed = Libc.passedMillis()
    const [awake, wall] = [Libc.awakeMillis(), Libc.wallMillis()]
    if (Libc.passedMillis() - passed < atOnceMillis || tries === mostTries) return { wall, passed, awake }
  }
}

/** How the clocks of the machine are read. A process has no other machine; a test has. */
export const MachineClocks = Context.Reference<() => ClockLook.Reading>("dandori/services/MachineClocks", {
  defaultValue: () => read,
})

const everyMillis = 1_000
/** What nobody has taken is kept up to so many, the oldest goes first. */
const mostWaiting = 1_000

/**
 * Clock steps and long pauses of this process, as they are seen: within a second of a step, at the end of a pause. Who takes
 * them may take their time, which counts as no pause.
 */
export const seen: Stream.Stream<ClockLook.Seen> = Stream.callback<ClockLook.Seen>(
  (queue) =>
    Effect.gen(function* () {
      const reading = yield* MachineClocks
      let watch = ClockLook.begin(reading())
      for (;;) {
        yield* Effect.sleep(everyMillis)
        const now = ClockLook.look(watch, reading())
        watch = now.watch
        yield* Queue.offerAll(queue, now.seen)
      }
    }),
  { bufferSize: mostWaiting, strategy: "sliding" },
)

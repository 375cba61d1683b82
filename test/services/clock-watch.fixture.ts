/** Says each clock step and pause that it sees as one line of JSON, beginning with one that says it watches. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ClockWatch from "../../src/services/clock-watch.ts"

const say = (what: unknown) => Effect.sync(() => console.log(JSON.stringify(what)))

await Effect.runPromise(
  Effect.gen(function* () {
    const reading = yield* ClockWatch.MachineClocks
    let watches = false
    const first = () => {
      const now = reading()
      if (!watches) console.log(JSON.stringify("watches"))
      watches = true
      return now
    }
    yield* Stream.runForEach(ClockWatch.seen, say).pipe(Effect.provideService(ClockWatch.MachineClocks, first))
  }),
)

import * as Effect from "effect/Effect"
import * as Memory from "../../memory.ts"
import type { OpenReading } from "../sources/reading.ts"

/** An evacuation may have little memory: it tidies between its steps, and now and then while it sends. */
export const tidyNowAndThen = () => Memory.tidyEvery({ bytes: 48 << 20, pieces: 500 })

/** Sources whose pieces are counted for `tidyNowAndThen`. */
export const tidying =
  (now: ReturnType<typeof tidyNowAndThen>, open: OpenReading): OpenReading =>
  (file, pieceBytes) =>
    Effect.map(open(file, pieceBytes), (reading) => ({
      ...reading,
      next: Effect.tap(reading.next, (piece) => now(piece?.bytes.length ?? 0)),
    }))

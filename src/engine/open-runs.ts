import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as RootTestimonies from "../ledger/root-testimonies.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as RecordedRun from "./recorded-run.ts"

const open = ["queued", "running", "cancelling", "waiting", "interrupted"]

/** Runs that have not ended, oldest first. Reads no run that the root has closed. */
export const list = Effect.fnUntraced(function* (home: string) {
  const ledger = yield* Ledger
  const said = yield* ledger.testimonies
  const candidates = (yield* ledger.runs).filter((run) => !RootTestimonies.isOver(said, StreamName.ofRun(run)))
  const runs = yield* Effect.forEach(candidates, (run) => RecordedRun.read(home, run))
  return runs.filter(({ status }) => open.includes(status))
})

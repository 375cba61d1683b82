import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Prepared from "./prepared.ts"
import * as Resolution from "./resolution.ts"
import { type Recalled, fold } from "./resume.ts"
import * as Submit from "./submit.ts"

/**
 * Records what a person says became of an unknown task, by the run's owner where it has one. The output is decoded by the
 * task type's schema first.
 */
export const resolve = Effect.fn("Resolve.resolve")(function* (
  run: string,
  recalled: Recalled,
  { by, now, say, ...resolution }: Resolution.Resolution & Pick<Submit.Asker, "now" | "say">,
) {
  const prepared = yield* Prepared.prepare(recalled.plan)
  const { entries } = yield* (yield* Ledger).read(StreamName.ofRun(run))
  const event = yield* Effect.fromResult(Resolution.judge(run, prepared, fold(prepared, entries, now), resolution))
  yield* Resolution.checkSize(event)
  const asker = { by: by ?? recalled.requester, now, ...(say === undefined ? {} : { say }) }
  yield* Submit.submit(run, recalled, { kind: "resolve", ...resolution }, asker)
})

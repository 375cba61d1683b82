import * as Effect from "effect/Effect"
import * as CanonicalJson from "../domain/canonical-json.ts"
import * as Chain from "../ledger/chain.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as Sealing from "../ledger/sealing.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { eventLine } from "./event-line.ts"
import { exitCodes } from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"
import { choose } from "./stream-choice.ts"

const finished = "dev.dandori.run.finished.v1"
/** Milliseconds between two looks at a stream that is followed. */
const interval = 200
/** Looks without news after which it is asked whether anybody still writes. */
const patience = 10

const print = Effect.fnUntraced(function* (chain: Chain.Chain, json: boolean) {
  const lineOf = json ? CanonicalJson.encode : eventLine
  if (chain.entries.length > 0) yield* Output.data(chain.entries.map((entry) => lineOf(entry)).join("\n"))
})

/** Reads what follows `start`; nothing of the stream is read twice. */
const readOn = Effect.fnUntraced(function* (stream: string, start: Chain.Start) {
  const bytes = yield* (yield* Ledger).bytes(stream, start.bytes)
  return Chain.read(stream, bytes, start)
})

const damaged = Effect.fnUntraced(function* (stream: string, reason: string) {
  const look = (yield* Hint.here).files("ledger verify")
  yield* Output.message(`${stream} is damaged: ${reason}; nothing after it is shown. Look: ${look}`)
  return yield* Output.exitWith(exitCodes.altered)
})

const show = Effect.fnUntraced(function* (name: string, follow: boolean, json: boolean) {
  const ledger = yield* Ledger
  const stream = yield* choose(name)
  let start: Chain.Start = { head: Sealing.genesis(stream), bytes: 0 }
  for (let quiet = 0; ;) {
    const chain = yield* readOn(stream, start)
    yield* print(chain, json)
    start = { head: chain.head, bytes: chain.validBytes }
    quiet = chain.entries.length === 0 ? quiet + 1 : 0
    if (chain.fault !== undefined && chain.fault.kind !== "torn") return yield* damaged(stream, chain.fault.reason)
    if (!follow || chain.entries.at(-1)?.type === finished) return
    if (quiet >= patience && StreamName.runOf(stream) !== undefined) {
      quiet = 0
      if (!(yield* ledger.owned(stream))) {
        const run = StreamName.runOf(stream)
        const resume = (yield* Hint.here).either(`runs resume ${run}`)
        return yield* Output.message(`Nobody writes this run any more. Go on with it: ${resume}`)
      }
    }
    yield* Effect.sleep(interval)
  }
})

/** Shows a stream's entries as lines, or as the NDJSON that they are; `follow` goes on until the run ends. */
export const showStream = Effect.fnUntraced(function* (name: string, follow: boolean) {
  const { json } = yield* root
  const { home, env, project } = yield* Readers.find
  yield* show(name, follow, json).pipe(Effect.provide(Readers.ledger({ project, home, env })))
})

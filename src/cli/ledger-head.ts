import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as Sealing from "../ledger/sealing.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { exitCodes } from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import { count } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"

const read = Effect.gen(function* () {
  const ledger = yield* Ledger
  const chain = yield* ledger.read(StreamName.root).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
  const { sequence: entries, hash } = chain?.head ?? Sealing.genesis(StreamName.root)
  const newest = yield* ledger.newestCheckpoint
  return {
    entries,
    hash,
    time: chain?.entries.at(-1)?.time,
    checkpoint: newest === undefined ? undefined : { entries: newest.size, path: newest.place },
    fault: chain?.fault,
  }
})

/** Shows the head of the root stream and the newest checkpoint, without checking signatures. */
export const showHead = Effect.gen(function* () {
  const { json, quiet } = yield* root
  const { home, env, project } = yield* Readers.find
  const head = yield* read.pipe(Effect.provide(Readers.ledger({ project, home, env })))
  const { entries, hash, time, checkpoint, fault } = head
  if (json) yield* Output.json({ v: 1, kind: "ledger-head", ...head })
  else if (quiet) yield* Output.data(`${entries} ${hash}`)
  else {
    const made = time === undefined ? "" : `, the last at ${time}`
    const covers =
      checkpoint === undefined ? "none yet" : `${count(checkpoint.entries, "entry", "entries")}, ${checkpoint.path}`
    yield* Output.data(`entries     ${entries}${made}\nhead        ${hash}\ncheckpoint  ${covers}`)
  }
  if (fault === undefined || fault.kind === "torn") return
  yield* Output.message(
    `The root stream is damaged: ${fault.reason}. Look: ${(yield* Hint.here).files("ledger verify")}`,
  )
  yield* Output.exitWith(exitCodes.altered)
})

import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Export from "../ledger/export.ts"
import * as LedgerKey from "../ledger/keys.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import * as Output from "./output.ts"
import { count } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"
import { chooseRun } from "./stream-choice.ts"

/** Writes a run with its proof into one new folder. */
export const exportRun = Effect.fnUntraced(function* (name: string, folder: string) {
  const { json, quiet } = yield* root
  const { home, env, project } = yield* Readers.find
  const into = resolve(process.cwd(), folder)
  const reading = Readers.ledger({ project, home, env })
  const run = yield* chooseRun(name).pipe(Effect.provide(reading))
  const services = LedgerKey.layer(home).pipe(
    Layer.provideMerge(Layer.mergeAll(reading, ArtifactsDirectory.layer(join(home, "artifacts")))),
  )
  const exported = yield* Export.exportRun(run, into).pipe(Effect.provide(services))
  if (json) return yield* Output.json({ v: 1, kind: "ledger-export", run, ...exported })
  yield* Output.data(exported.folder)
  if (quiet) return
  const { events, receipts, artifacts } = exported
  const held = [
    count(events, "event", "events"),
    count(receipts, "receipt", "receipts"),
    `the digests of ${count(artifacts, "artifact", "artifacts")}`,
  ]
  yield* Output.message(`Run ${run}: ${held.join(", ")}. README.txt in it tells how to check it by hand.`)
})

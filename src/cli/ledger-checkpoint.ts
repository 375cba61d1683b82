import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Checkpoint from "../ledger/checkpoint.ts"
import * as LedgerFiles from "../ledger/ledger-files.ts"
import * as LedgerKey from "../ledger/keys.ts"
import * as Layer from "effect/Layer"
import * as LedgerPlace from "./ledger-place.ts"
import * as Output from "./output.ts"
import { count } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"

/** Signs the ledger as it stands and prints the checkpoint's text; `anchor` is a file that takes it too. */
export const makeCheckpoint = Effect.fnUntraced(function* (anchor: string | undefined) {
  const { json, quiet } = yield* root
  const { home, env, project } = yield* Readers.find
  const place = { project, home, env }
  if ((yield* LedgerPlace.database(place)) === undefined) yield* LedgerFiles.locate(home)
  const ledger = LedgerKey.layer(home).pipe(Layer.provideMerge(LedgerPlace.layer(place)))
  const file = anchor === undefined ? undefined : resolve(process.cwd(), anchor)
  const made = yield* Checkpoint.make(file === undefined ? {} : { anchor: file }).pipe(Effect.provide(ledger))
  if (json)
    yield* Output.json({
      v: 1,
      kind: "ledger-checkpoint",
      ...made,
      ...(file === undefined ? {} : { anchor: file }),
    })
  else yield* Output.data(made.text)
  if (json || quiet) return
  const also = file === undefined ? "" : ` It is in ${file} too.`
  yield* Output.message(
    `Signed: the first ${count(made.size, "entry", "entries")} of root. Keep this text where nobody can change it with the ledger.${also}`,
  )
})

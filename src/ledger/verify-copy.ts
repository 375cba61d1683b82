import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { LedgerFailed } from "./errors.ts"
import * as LedgerCopy from "./ledger-copy.ts"
import { type VerifyOptions, verify } from "./verify.ts"

/** Copies that are made before a ledger that keeps changing is blamed. */
const copies = 4

/**
 * Verifies a ledger that does not lie in files, by a copy in a temporary folder that is the same bytes. One that is
 * written meanwhile is copied again: what is wrong must be wrong in every copy.
 */
export const verifyCopy = Effect.fn("Ledger.verifyCopy")(function* (options: VerifyOptions = {}) {
  const fs = yield* FileSystem.FileSystem
  const once = Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* fs
        .makeTempDirectoryScoped({ prefix: "dandori-ledger-" })
        .pipe(Effect.mapError(({ message }) => new LedgerFailed({ stream: "the ledger", reason: message })))
      yield* LedgerCopy.copyTo(folder)
      // A ledger of which nothing has been written yet is no folder of one.
      yield* Effect.orDie(fs.makeDirectory(`${folder}/runs`, { recursive: true }))
      return yield* verify(folder, options)
    }),
  )
  let report = yield* once
  for (let made = 1; report.faults.length > 0 && made < copies; made++) report = yield* once
  return report
})

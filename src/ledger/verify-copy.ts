import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { LedgerFailed } from "./errors.ts"
import type { LedgerHead } from "../services/evidence.ts"
import * as Chain from "./chain.ts"
import * as LedgerCopy from "./ledger-copy.ts"
import * as LedgerFiles from "./ledger-files.ts"
import { type Disorder, Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"
import { type VerifyReport, exitCode, verdictOf } from "./verify-report.ts"
import { type VerifyOptions, verify } from "./verify.ts"

/** Copies that are made before a ledger that keeps changing is blamed. */
const copies = 4

/** A report with what is wrong beyond the bytes; of a stream whose bytes are wrong already, nothing more is said. */
const withDisorder = (report: VerifyReport, { misplaced, strays }: Disorder): VerifyReport => {
  const known = new Set(report.faults.map(({ stream }) => stream))
  const more = misplaced.filter(({ stream }) => StreamName.isOne(stream) && !known.has(stream))
  const faults = [...report.faults, ...more.map((row) => ({ ...row, kind: "altered" as const }))]
  const verdict = more.length === 0 ? report.verdict : verdictOf(faults)
  const noStreams = strays.map((path) => ({ path, reason: "it is no stream of the ledger" }))
  return { ...report, faults, verdict, exitCode: exitCode(verdict), strays: [...report.strays, ...noStreams] }
}

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
      return withDisorder(yield* verify(folder, options), yield* (yield* Ledger).disorder)
    }),
  )
  let report = yield* once
  for (let made = 1; report.faults.length > 0 && made < copies; made++) report = yield* once
  return report
})

/**
 * Verifies a copy that lies in a folder, from its files alone, and that its root reaches a head that was recorded when it
 * was made. The keys are the copy's own: another place has another one.
 */
export const verifyFolder = Effect.fn("Ledger.verifyFolder")(function* (folder: string, head: LedgerHead) {
  const { entries, faults, streams } = yield* verify(folder)
  const bytes = yield* LedgerFiles.stream(folder, StreamName.root)
  const root = Chain.read(StreamName.root, bytes ?? new Uint8Array()).entries
  const problems = faults.map(({ line, reason, stream }) => `${stream} line ${line}: ${reason}`)
  if (head.entries > 0 && root[head.entries - 1]?.entryhash !== head.hash) {
    problems.push(`root has no entry ${head.entries} with the hash ${head.hash}`)
  }
  return { streams, entries, problems }
})

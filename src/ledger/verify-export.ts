import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { Entry } from "../domain/event.ts"
import * as Chain from "./chain.ts"
import * as Checkpoint from "./checkpoint.ts"
import * as Ed25519 from "./ed25519.ts"
import * as LedgerFiles from "./ledger-files.ts"
import * as Merkle from "./merkle.ts"
import { Proof, files } from "./run-export.ts"
import * as SignedNote from "./signed-note.ts"
import * as StreamName from "./stream-name.ts"
import * as Testimony from "./testimony.ts"
import type { LedgerFault, VerifyReport } from "./verify-report.ts"
import * as VerifyExportContent from "./verify-export-content.ts"
import * as VerifyStream from "./verify-stream.ts"

const decodeProof = Schema.decodeOption(Schema.fromJsonString(Proof))
const decodeEntry = Schema.decodeOption(Schema.fromJsonString(Entry))

/** True when the folder is an exported run. */
export const isExport = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return yield* fs.exists(path.join(folder, files.proof)).pipe(Effect.orElseSucceed(() => false))
})

const fault = (stream: string, kind: LedgerFault["kind"], reason: string): LedgerFault => ({
  stream,
  line: 1,
  offset: 0,
  kind,
  reason,
})

/**
 * Verifies an exported run: its events, the root's entries about it, that the checkpoint includes these, the
 * checkpoint's signature, by the pinned keys or else by the one that lies in the export, and that plan, receipts and
 * the list of artifacts are those that the events name.
 */
export const verify = Effect.fnUntraced(function* (folder: string, pinned: ReadonlyArray<Ed25519.PublicKey>) {
  const path = yield* Path.Path
  const textOf = (name: string) =>
    Effect.map(LedgerFiles.bytesOf(path.join(folder, name)), (bytes) => new TextDecoder().decode(bytes))
  const faults: Array<LedgerFault> = []
  const decoded = decodeProof(yield* textOf(files.proof))
  const proof: Proof = decoded._tag === "Some" ? decoded.value : { run: "", size: 0, entries: [] }
  if (decoded._tag === "None") faults.push(fault(files.proof, "altered", "it is no proof"))

  const inside = yield* textOf(files.publicKey)
  const keys =
    pinned.length > 0
      ? pinned
      : yield* Effect.orElseSucceed(
          Effect.map(Ed25519.publicKey(inside), (key) => [key]),
          () => [],
        )
  const checkpoint = Checkpoint.parse(yield* textOf(files.checkpoint))
  const signer = checkpoint && (yield* SignedNote.signer(checkpoint.note, checkpoint.origin, keys))
  if (checkpoint === undefined) faults.push(fault(files.checkpoint, "altered", "it is no checkpoint"))
  else if (signer === undefined) {
    faults.push(fault(files.checkpoint, "signature", "it is not signed by a known key, or was changed"))
  } else if (checkpoint.size !== proof.size) {
    faults.push(fault(files.proof, "altered", `it is for ${proof.size} entries, the checkpoint for ${checkpoint.size}`))
  }

  const root = proof.entries.flatMap(({ index, line, path }) => {
    const entry = decodeEntry(line)
    const tree = Merkle.rootOf(
      index,
      proof.size,
      Merkle.leaf(line),
      path.map((hash) => Buffer.from(hash, "base64")),
    )
    const included = tree !== undefined && Buffer.from(tree).toString("base64") === checkpoint?.tree
    if (entry._tag === "Some" && Chain.isLine(line) && included) return [entry.value]
    faults.push(
      fault(files.proof, "altered", `the checkpoint does not include line ${index + 1} of the root as it is here`),
    )
    return []
  })

  const stream = StreamName.ofRun(proof.run)
  const bytes = (yield* LedgerFiles.bytesOf(path.join(folder, files.events))) ?? new Uint8Array()
  const said = Testimony.testimonies(root).get(stream)
  const checked = VerifyStream.check(stream, bytes, said)
  faults.push(...checked.faults)
  const ended = checked.chain.entries.length > 0 && !checked.open
  if (said?.opened === undefined) {
    faults.push(fault(files.proof, "missing", "it has no root entry that says that the run was opened"))
  }
  if (ended && (said?.closed ?? []).length === 0) {
    faults.push(fault(files.proof, "missing", "it has no root entry that says how the run ended"))
  }
  faults.push(...(yield* VerifyExportContent.check(folder, checked.chain.entries, keys)))
  const report: Omit<VerifyReport, "verdict" | "exitCode"> = {
    faults,
    streams: 1,
    entries: checked.entries,
    bytes: bytes.length,
    open: checked.open ? [stream] : [],
    uncovered: checked.uncovered,
    recovered: Testimony.recovered(root),
    strays: [],
    purged: [],
    coverage: {
      checkpoint: checked.uncovered.length === 0 ? 1 : 0,
      root: 0,
      notYet: checked.uncovered.length === 0 ? 0 : 1,
    },
    checkpoint: checkpoint && signer && { size: checkpoint.size, tree: checkpoint.tree, keyid: signer.keyid },
    key: { pinned: pinned.length > 0, keyids: keys.map(({ keyid }) => keyid) },
  }
  return report
})

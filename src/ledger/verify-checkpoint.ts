import * as Effect from "effect/Effect"
import * as Checkpoint from "./checkpoint.ts"
import type * as Ed25519 from "./ed25519.ts"
import type { Entry } from "../domain/event.ts"
import type * as Merkle from "./merkle.ts"
import * as SignedNote from "./signed-note.ts"
import * as Testimony from "./testimony.ts"
import type { LedgerFault } from "./verify-report.ts"

/** The root as far as it verifies for itself. */
export interface RootState {
  readonly entries: ReadonlyArray<Entry>
  readonly leaves: ReadonlyArray<Merkle.Hash>
  readonly validBytes: number
  readonly damaged: boolean
}

/** A checkpoint that holds, or what is wrong with it. */
export type CheckpointAnswer =
  | { readonly holds: true; readonly size: number; readonly tree: string; readonly keyid: string }
  | { readonly holds: false; readonly faults: ReadonlyArray<LedgerFault> }

/**
 * Checks a checkpoint's form and signature, then whether the root bears it out. `known` is the size of the largest
 * smaller checkpoint that holds: a change lies behind it. Of a damaged root only the signature is checked.
 */
export const check = Effect.fnUntraced(function* (
  name: string,
  text: string,
  root: RootState,
  keys: ReadonlyArray<Ed25519.PublicKey>,
  known: number,
) {
  const wrong = (kind: LedgerFault["kind"], reason: string, stream = name, line = 1, offset = 0): CheckpointAnswer => ({
    holds: false,
    faults: [{ stream, line, offset, kind, reason }],
  })
  const found = Checkpoint.parse(text)
  if (found === undefined) return wrong("altered", "it is no checkpoint")
  const { origin, size, tree, note } = found
  const signer = yield* SignedNote.signer(note, origin, keys)
  if (signer === undefined) {
    const named = keys.some((key) => note.signatures.some((line) => line.keyHint === SignedNote.keyHint(origin, key)))
    return named
      ? wrong("altered", "it was changed: its signature does not fit its text")
      : wrong("signature", "it is signed by no known key. Give the right one: --key FILE")
  }
  const first = root.entries[0]
  if (first !== undefined && Checkpoint.originOf(first) !== origin) {
    return wrong("altered", `it is of another ledger (${origin})`)
  }
  const have = root.entries.length
  if (size > have) {
    const reason = `${have} entries are there; ${name} covers ${size}`
    const answer: CheckpointAnswer = { holds: false, faults: [] }
    return root.damaged ? answer : wrong("gap", reason, "root", have + 1, root.validBytes)
  }
  if (Checkpoint.treeOf(root.leaves, size) !== tree) {
    const reason = `the entries from line ${known + 1} to line ${size} are not those that ${name} covers`
    return wrong("altered", reason, "root", known + 1)
  }
  const answer: CheckpointAnswer = { holds: true, size, tree, keyid: signer.keyid }
  return answer
})

/**
 * What `system` says of checkpoints against the root: the largest that it names must be borne out by the root's
 * entries, and each must have its file. `kept` are the sizes of the files, `known` as in `check`.
 */
export const compareSystem = (
  system: ReadonlyArray<Entry>,
  root: RootState,
  kept: ReadonlySet<number>,
  known: number,
): ReadonlyArray<LedgerFault> => {
  const faults: Array<LedgerFault> = []
  const newest = Testimony.newestCheckpoint(system)
  const have = root.entries.length
  if (newest !== undefined && !root.damaged && newest.entries > have) {
    const reason = `${have} entries are there; line ${newest.line} of system names a checkpoint of ${newest.entries}`
    faults.push({
      stream: "root",
      line: have + 1,
      offset: root.validBytes,
      kind: have === 0 ? "missing" : "gap",
      reason,
    })
  } else if (
    newest !== undefined &&
    newest.entries <= have &&
    Checkpoint.treeOf(root.leaves, newest.entries) !== newest.tree
  ) {
    const from = known < newest.entries ? known + 1 : 1
    const reason = `the entries up to line ${newest.entries} are not those of the checkpoint that line ${newest.line} of system names`
    faults.push({ stream: "root", line: from, offset: 0, kind: "altered", reason })
  }
  for (const { data, sequence } of system) {
    if (!Testimony.isCheckpointed(data) || kept.has(data.entries)) continue
    const reason = `line ${sequence} of system names this checkpoint, but its file is gone`
    faults.push({ stream: `checkpoints/${data.entries}.txt`, line: 1, offset: 0, kind: "missing", reason })
  }
  return faults
}

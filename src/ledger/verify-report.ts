import type { Purged, Recovered } from "./testimony.ts"

/** What verification found, worst first: content that was changed, entries that are gone, a signature, no rest to read. */
export type LedgerVerdict = "intact" | "altered" | "missing" | "signature" | "busy"

/** One thing that is wrong. `stream` is a stream's name or a checkpoint's file; `line` counts from 1. */
export interface LedgerFault {
  readonly stream: string
  readonly line: number
  readonly offset: number
  readonly kind: "altered" | "gap" | "missing" | "signature"
  readonly reason: string
}

/** Entries from `line` on that nothing outside the stream testifies to: cutting them off would not be noticed. */
export interface Uncovered {
  readonly stream: string
  readonly line: number
  readonly reason: string
}

/** A file that lies in the ledger's folder and is not part of the ledger; `path` is below that folder. */
export interface Stray {
  readonly path: string
  readonly reason: string
}

/** A run that was purged; `there` while its stream is not removed yet, or came back. */
export interface PurgedRun extends Purged {
  readonly stream: string
  readonly there: boolean
}

/** How far the evidence goes. */
export interface VerifyReport {
  readonly verdict: LedgerVerdict
  /** Exit code of `dandori ledger verify`. */
  readonly exitCode: 0 | 10 | 11 | 12 | 13
  readonly faults: ReadonlyArray<LedgerFault>
  readonly streams: number
  readonly entries: number
  readonly bytes: number
  /** Runs that have not finished. */
  readonly open: ReadonlyArray<string>
  readonly uncovered: ReadonlyArray<Uncovered>
  /** Root entries that a later start added because they were missing: they say what was found then. */
  readonly recovered: ReadonlyArray<Recovered>
  readonly strays: ReadonlyArray<Stray>
  /** Runs that were purged, as the root says: they are not missing. */
  readonly purged: ReadonlyArray<PurgedRun>
  /** Streams wholly covered by a checkpoint, by a root entry that no checkpoint covers yet, or in part or not at all. */
  readonly coverage: { readonly checkpoint: number; readonly root: number; readonly notYet: number }
  /** The largest checkpoint that holds, and the keyid of its signer. */
  readonly checkpoint: { readonly size: number; readonly tree: string; readonly keyid: string } | undefined
  /** Keys that signatures were checked with. A key is pinned when it comes from elsewhere than what is verified. */
  readonly key: { readonly pinned: boolean; readonly keyids: ReadonlyArray<string> }
}

const exitCodes = { intact: 0, altered: 10, missing: 13, signature: 12, busy: 11 } as const

/** Exit code of a verdict. */
export const exitCode = (verdict: LedgerVerdict): VerifyReport["exitCode"] => exitCodes[verdict]

/** The verdict that faults amount to. */
export const verdictOf = (faults: ReadonlyArray<LedgerFault>): LedgerVerdict => {
  const has = (...kinds: ReadonlyArray<LedgerFault["kind"]>) => faults.some(({ kind }) => kinds.includes(kind))
  if (has("altered")) return "altered"
  if (has("gap", "missing")) return "missing"
  return has("signature") ? "signature" : "intact"
}

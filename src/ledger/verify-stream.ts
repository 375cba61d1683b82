import * as Chain from "./chain.ts"
import * as StreamName from "./stream-name.ts"
import type { Testimony } from "./testimony.ts"
import type { LedgerFault, Uncovered } from "./verify-report.ts"

/** What became of one stream. `coveredBy` is the root line that covers all of it. */
export interface Checked {
  readonly chain: Chain.Chain
  readonly faults: ReadonlyArray<LedgerFault>
  readonly uncovered: ReadonlyArray<Uncovered>
  readonly entries: number
  readonly open: boolean
  readonly coveredBy: number | undefined
}

const finished = "dev.dandori.run.finished.v1"

/**
 * What a last line without its newline means: nothing where only a crash left it so, else that the file was cut, or
 * that its last byte was changed. `covered` entries must be there; a stream that has `ended` has none but these.
 */
const tornKind = (bytes: Uint8Array, chain: Chain.Chain, covered: number, ended: boolean) => {
  const have = chain.head.sequence
  if (have >= covered) return ended || chain.entries.at(-1)?.type === finished ? "altered" : undefined
  const rest = new TextDecoder().decode(bytes.subarray(chain.validBytes))
  return Chain.isLine(rest.slice(0, -1)) ? "altered" : "gap"
}

/** Checks the bytes of a stream for themselves and against what the root says of it. */
export const check = (stream: string, bytes: Uint8Array, said: Testimony | undefined): Checked => {
  const chain = Chain.read(stream, bytes)
  const isRun = StreamName.runOf(stream) !== undefined
  const faults: Array<LedgerFault> = []
  const uncovered: Array<Uncovered> = []
  const last = said?.closed.at(-1)
  const covered = last?.entries ?? (said?.opened ? 1 : 0)
  const count = chain.entries.length
  const add = (kind: LedgerFault["kind"], line: number, offset: number, reason: string) =>
    faults.push({ stream, line, offset, kind, reason })

  if (chain.fault?.kind === "torn") {
    const { line, offset, reason } = chain.fault
    const kind = tornKind(bytes, chain, covered, isRun && last !== undefined)
    if (kind) add(kind, line, offset, kind === "gap" ? `${reason}: the file was cut` : reason)
    else uncovered.push({ stream, line, reason: "its last line has no end, as a crash leaves it" })
  } else if (chain.fault) {
    const { kind, line, offset, reason } = chain.fault
    add(kind, line, offset, reason)
  }
  const first = chain.entries[0]
  if (said?.opened && first && first.entryhash !== said.opened.first) {
    add("altered", 1, 0, `line 1 is not the entry that line ${said.opened.line} of the root names`)
  }
  if (said?.opened && bytes.length === 0) add("gap", 1, 0, "the file is empty, but the root names its first entry")
  if (faults.length === 0) {
    for (const { entries, head, line } of said?.closed ?? []) {
      if (count < entries) {
        add(
          "gap",
          count + 1,
          chain.validBytes,
          `${count} entries are there; line ${line} of the root counts ${entries}`,
        )
      } else if (chain.entries[entries - 1]?.entryhash !== head) {
        add("altered", entries, 0, `line ${entries} is not the entry that line ${line} of the root names`)
      } else if (isRun && count > entries) {
        add(
          "altered",
          entries + 1,
          0,
          `line ${entries + 1} was added after the end that line ${line} of the root names`,
        )
      } else continue
      break
    }
  }
  if (faults.length === 0 && count > covered) {
    const reason = covered === 0 ? "no root entry names it yet" : "no root entry covers the entries from here on yet"
    uncovered.push({ stream, line: covered + 1, reason })
  }
  return {
    chain,
    faults,
    uncovered,
    entries: count,
    open: isRun && chain.entries.at(-1)?.type !== finished,
    coveredBy: uncovered.length === 0 ? (last ?? said?.opened)?.line : undefined,
  }
}

import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { Entry, data as eventData } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import { type Head, genesis } from "./sealing.ts"

/** What is wrong at one place of a stream. `line` counts from 1. */
export interface Fault {
  readonly kind: "altered" | "gap" | "torn"
  readonly line: number
  readonly offset: number
  readonly reason: string
}

/** A stream as read: its valid entries, the head after them, and the first fault if there is one. */
export interface Chain {
  readonly entries: ReadonlyArray<Entry>
  readonly head: Head
  /** Bytes up to the end of the last valid entry. */
  readonly validBytes: number
  readonly fault: Fault | undefined
}

const isEntry = Schema.is(Entry)

const readLine = (text: string): Entry | string => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return "is not JSON"
  }
  if (!isEntry(value)) return "is not an event"
  const { entryhash, ...rest } = value
  if (Sha256.of(CanonicalJson.encode(rest)) !== entryhash) return "was changed: its hash does not fit its content"
  if (CanonicalJson.encode(value) !== text) return "is not in canonical form"
  return value
}

const sequenceOf = (text: string): number | undefined => {
  const match = /"sequence":"(\d+)"/.exec(text)
  return match ? Number(match[1]) : undefined
}

/**
 * True when nothing after the valid entries is a whole entry: the rest is what a crash left of an append and may be
 * cut. A whole entry after a bad line means that somebody changed the line.
 */
export const isTornTail = (bytes: Uint8Array, chain: Chain): boolean =>
  new TextDecoder()
    .decode(bytes.subarray(chain.validBytes))
    .split("\n")
    .every((line) => typeof readLine(line) === "string")

/**
 * Reads a stream's bytes from its first line and stops at the first fault. A last line without its newline is
 * `torn`; what `closed` streams make of that is up to the caller.
 */
export const read = (stream: string, bytes: Uint8Array): Chain => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
  const lines = text.split("\n")
  const last = lines.pop() ?? ""
  const entries: Array<Entry> = []
  let head = genesis(stream)
  let offset = 0
  const stop = (kind: Fault["kind"], line: number, reason: string): Chain => ({
    entries,
    head,
    validBytes: offset,
    fault: { kind, line, offset, reason },
  })
  for (let i = 0; i < lines.length; i++) {
    const entry = readLine(lines[i])
    if (typeof entry === "string") return stop("altered", i + 1, `line ${i + 1} ${entry}`)
    const expected = head.sequence + 1
    if (Number(entry.sequence) !== expected) {
      const moved = Number(entry.sequence) > expected && !lines.slice(i + 1).some((text) => sequenceOf(text) === expected)
      return moved
        ? stop("gap", i + 1, `line ${i + 1} has sequence ${entry.sequence}, expected ${expected}: entries are missing`)
        : stop("altered", i + 1, `line ${i + 1} has sequence ${entry.sequence}, expected ${expected}: moved or repeated`)
    }
    if (entry.prevhash !== head.hash) {
      return stop("altered", i + 1, `line ${i + 1} does not continue the entry before it (prevhash)`)
    }
    const known = eventData[entry.type as keyof typeof eventData]
    if (known !== undefined && !Schema.is(known)(entry.data)) {
      return stop("altered", i + 1, `line ${i + 1} has data that ${entry.type} does not allow`)
    }
    entries.push(entry)
    head = { sequence: expected, hash: entry.entryhash }
    offset += Buffer.byteLength(lines[i]) + 1
  }
  if (last !== "") return stop("torn", lines.length + 1, `line ${lines.length + 1} has no end`)
  return { entries, head, validBytes: offset, fault: undefined }
}

import { isUtf8 } from "node:buffer"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { type Entry, data as eventData } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as RootLine from "./root-line.ts"
import { type Head, genesis } from "./sealing.ts"
import * as StreamName from "./stream-name.ts"

/** What is wrong at one place of a stream. `line` counts from 1, `offset` is the byte where the line begins. */
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
  /** Bytes of the stream up to the end of the last valid entry. */
  readonly validBytes: number
  readonly fault: Fault | undefined
}

/** Where reading begins: the head so far and the bytes that it stands for. */
export interface Start {
  readonly head: Head
  readonly bytes: number
}

const hex64 = /^[0-9a-f]{64}$/
const positive = /^[1-9]\d*$/
const isHash = (value: unknown) => typeof value === "string" && hex64.test(value)

/** As `Schema.is(Entry)`, by hand: this runs for each entry of a ledger. */
export const isEntry = (value: unknown): value is Entry => {
  if (typeof value !== "object" || value === null) return false
  const entry = value as Partial<Record<keyof Entry, unknown>>
  return (
    entry.specversion === "1.0" &&
    entry.datacontenttype === "application/json" &&
    typeof entry.id === "string" &&
    typeof entry.source === "string" &&
    typeof entry.type === "string" &&
    typeof entry.subject === "string" &&
    typeof entry.time === "string" &&
    typeof entry.authid === "string" &&
    typeof entry.authtype === "string" &&
    typeof entry.sequence === "string" &&
    positive.test(entry.sequence) &&
    isHash(entry.prevhash) &&
    isHash(entry.entryhash) &&
    "data" in entry &&
    (!("traceparent" in entry) || typeof entry.traceparent === "string")
  )
}

const sorted = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return true
  if (Array.isArray(value)) return value.every(sorted)
  const parsed = value as Readonly<Record<string, unknown>>
  let before: string | undefined
  for (const key in parsed) {
    if ((before !== undefined && before >= key) || !sorted(parsed[key])) return false
    before = key
  }
  return true
}

/** `\ud…` after an even number of backslashes: how JSON.stringify writes a lone surrogate, which RFC 8785 does not have. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud/

/** True when the text, parsed as `value`, is RFC 8785: JSON.stringify writes numbers and strings as it does. */
const isCanonical = (value: unknown, text: string): boolean => {
  if (text.includes("\\ud") && loneSurrogate.test(text)) return false
  return JSON.stringify(value) === text && sorted(value) ? true : CanonicalJson.encode(value) === text
}

const hashKey = ',"entryhash":"'
const hashLength = `"entryhash":"",`.length + 64

/** Whether the hash of a line is the one that stands in it. */
const hashFits = (text: string, entryhash: string): boolean => {
  // The envelope's keys are sorted, so what comes after its own `entryhash` holds no other: quotes in texts are escaped.
  const at = text.lastIndexOf(hashKey) + 1
  return Sha256.of(text.slice(0, at) + text.slice(at + hashLength)) === entryhash
}

const readLine = (text: string): Entry | string => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return "is not JSON"
  }
  if (!isEntry(value)) return "is not an event"
  if (!hashFits(text, value.entryhash)) return "was changed: its hash does not fit its content"
  return isCanonical(value, text) ? value : "is not in canonical form"
}

/** True when the text is a whole entry's line (without its newline), wherever it belongs. */
export const isLine = (text: string): boolean => typeof readLine(text) !== "string"

const lines = new WeakMap<Entry, string>()

/** The line of an entry, without its newline. */
export const lineOf = (entry: Entry): string => lines.get(entry) ?? CanonicalJson.encode(entry)

const isData: ReadonlyMap<string, (data: unknown) => boolean> = new Map(
  Object.entries(eventData).map(([type, schema]) => [type, Schema.is(schema as Schema.Schema<unknown>)]),
)

const sequenceOf = (text: string): number | undefined => {
  const match = /"sequence":"(\d+)"/.exec(text)
  return match ? Number(match[1]) : undefined
}

/**
 * True when what follows the valid entries is what a crash left of an append and may be cut: a last line without its
 * newline, and before it only lines that are no JSON. `bytes` begin at byte `from` of the stream.
 */
export const isTornTail = (bytes: Uint8Array, chain: Chain, from = 0): boolean => {
  const lines = new TextDecoder().decode(bytes.subarray(chain.validBytes - from)).split("\n")
  return lines.slice(0, -1).every((line) => readLine(line) === "is not JSON")
}

/**
 * Reads a stream's bytes, from its first line unless `start` says otherwise, and stops at the first fault. A last line
 * without its newline is `torn`; what `closed` streams make of that is up to the caller.
 */
export const read = (stream: string, bytes: Uint8Array, start: Start = { head: genesis(stream), bytes: 0 }): Chain => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = isUtf8(buffer)
  const entries: Array<Entry> = []
  const isRun = StreamName.runOf(stream) !== undefined
  let { head } = start
  let at = 0
  const stop = (kind: Fault["kind"], reason: string): Chain => {
    const line = head.sequence + 1
    const offset = start.bytes + at
    return { entries, head, validBytes: offset, fault: { kind, line, offset, reason: `line ${line} ${reason}` } }
  }
  while (at < buffer.length) {
    const end = buffer.indexOf(10, at)
    if (end === -1) return stop("torn", "has no end")
    if (!whole && !isUtf8(buffer.subarray(at, end))) return stop("altered", "is not UTF-8")
    const text = buffer.toString("utf8", at, end)
    const known = isRun ? undefined : RootLine.parse(text)
    const isKnown = known !== undefined && hashFits(text, known.entryhash)
    const entry = isKnown ? known : readLine(text)
    if (typeof entry === "string") return stop("altered", entry)
    const expected = head.sequence + 1
    if (entry.sequence !== String(expected)) {
      const rest = buffer.toString("utf8", end + 1).split("\n")
      const missing = Number(entry.sequence) > expected && !rest.some((text) => sequenceOf(text) === expected)
      const what = `has sequence ${entry.sequence}, expected ${expected}`
      return missing ? stop("gap", `${what}: entries are missing`) : stop("altered", `${what}: moved or repeated`)
    }
    if (entry.prevhash !== head.hash) return stop("altered", "does not continue the entry before it (prevhash)")
    if (!isKnown && isData.get(entry.type)?.(entry.data) === false)
      return stop("altered", `has data that ${entry.type} does not allow`)
    if (isKnown) lines.set(entry, text)
    entries.push(entry)
    head = { sequence: expected, hash: entry.entryhash }
    at = end + 1
  }
  return { entries, head, validBytes: start.bytes + at, fault: undefined }
}

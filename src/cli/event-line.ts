import type { Entry } from "../domain/event.ts"
import { plain } from "./plain-text.ts"

const text = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

/** The keys of an event's data that tell most. */
const telling = [
  "pipeline",
  "task",
  "attempt",
  "status",
  "stream",
  "entries",
  "as",
  "reason",
  "tick",
  "keyid",
  "route",
  "action",
]

/** What is worth a line of an event's data. */
export const detail = (data: unknown): string => {
  if (typeof data !== "object" || data === null) return ""
  const record = data as Readonly<Record<string, unknown>>
  const parts = telling.flatMap((key) => (record[key] === undefined ? [] : [`${key}=${text(record[key])}`]))
  const { cached, change, durationMillis, error, gate, millis } = record
  if (typeof change === "object" && change !== null && "operation" in change) parts.unshift(text(change.operation))
  if (typeof gate === "object" && gate !== null && "verdict" in gate) parts.push(`verdict=${text(gate.verdict)}`)
  if (cached !== undefined) parts.push("cached")
  if (typeof millis === "number") parts.push(`${millis} ms`)
  if (typeof durationMillis === "number") parts.push(`${durationMillis} ms`)
  if (typeof error === "object" && error !== null && "tag" in error && "message" in error) {
    parts.push(`${text(error.tag)}: ${text(error.message)}`)
  }
  return parts.join("  ")
}

/** `dev.dandori.attempt.started.v1` is `attempt.started`. */
export const shortType = (type: string): string => type.replace(/^dev\.dandori\./, "").replace(/\.v\d+$/, "")

/** An entry as one line for people. */
export const eventLine = (entry: Entry): string =>
  plain(
    [entry.time, entry.sequence.padStart(5), shortType(entry.type).padEnd(20), detail(entry.data)].join("  ").trimEnd(),
  )

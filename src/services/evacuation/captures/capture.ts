/** What a capture of a machine is: text of lines, bounded in bytes, with secrets replaced as it comes. */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Incidents, IncidentFolder } from "../incident/incidents.ts"
import type { Redactor } from "../redaction/redaction.ts"
import type { Secrets } from "../../secrets.ts"
import type { Settings } from "../../settings.ts"
import type { Workspace } from "../../workspace.ts"

/** There is nothing of the kind on this machine, or nothing that may be seen. */
export class NothingToTake extends Schema.TaggedError<NothingToTake>()("NothingToTake", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** Something that is there could not be captured, or not wholly. */
export class CaptureFailed extends Schema.TaggedError<CaptureFailed>()("CaptureFailed", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** Where a capture's lines go. */
export interface Lines {
  /** Adds a line, or several. What is beyond the limit on bytes is left out. */
  readonly add: (text: string) => void
  /** Whether the limit is reached: nothing more is taken. */
  readonly isFull: () => boolean
  /** Says that something was left out because of a limit on bytes. */
  readonly cut: () => void
}

/** What a capture may know of the evacuation that it is taken in. */
export interface Scene {
  readonly folder: IncidentFolder
  /** This program's version. */
  readonly version: string
  /** How long it may take, in milliseconds, and how much it may say, in bytes. */
  readonly limitMillis: number
  readonly maxBytes: number
}

/** Takes a fact, and ends. What it has added when it fails is kept. */
export type Capture = (
  lines: Lines,
  scene: Scene,
) => Effect.Effect<void, NothingToTake | CaptureFailed, Incidents | Secrets | Settings | Workspace>

/** Lines that are collected; `text` is what there is by now, with an end of line after each. */
export const collect = (
  redactor: Redactor,
  maxBytes: number,
): Lines & { readonly text: () => string; readonly isTruncated: () => boolean } => {
  const parts: Array<string> = []
  let bytes = 0
  let truncated = false
  const addLine = (line: string) => {
    const safe = redactor.text(line)
    const length = Buffer.byteLength(safe) + 1
    if (bytes + length > maxBytes) truncated = true
    if (truncated) return
    bytes += length
    parts.push(safe)
  }
  return {
    add: (text) => {
      if (truncated) return
      if (!text.includes("\n")) return addLine(text)
      for (const line of text.replace(/\n$/, "").split("\n")) addLine(line)
    },
    isFull: () => truncated,
    cut: () => {
      truncated = true
    },
    isTruncated: () => truncated,
    text: () => parts.map((part) => `${part}\n`).join(""),
  }
}

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

/** A text on one line: control characters are escaped. */
export const visible = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (unit) => escapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )

/** A word as it can stand among others: quoted as in JSON where it has more in it than words have. */
export const word = (text: string): string =>
  /^[\w./:,@%+=~^!#$&*?[\](){}|;<>-]+$/.test(text) ? text : visible(JSON.stringify(text))

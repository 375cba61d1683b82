import type { FieldChange } from "../../compiler/value-diff.ts"
import { formatDuration, formatSize } from "../../domain/quantity.ts"
import * as Output from "../output.ts"
import { clean, fit } from "./line.ts"

const longest = 160
const durations = /(^|\.)(timeout|heartbeat|initial|jitter|window|backoff\.max)$/
const sizes = /(^|\.)memory$/

/** A value on one line as JSON; a digest by its beginning. */
export const valueText = (value: unknown): string =>
  typeof value === "string" && /^(sha256:)?[0-9a-f]{64}$/.test(value)
    ? `${value.replace(/^sha256:/, "").slice(0, 12)}…`
    : fit(clean(JSON.stringify(value) ?? "none"), longest)

/** A plan's milliseconds and bytes with their units; what a task is given (`with`) is its own. */
const quantity = (path: string, value: unknown): string => {
  if (typeof value !== "number" || path.includes("with.")) return valueText(value)
  if (durations.test(path)) return formatDuration(value)
  return sizes.test(path) ? formatSize(value) : valueText(value)
}

/** `path: old → new`; of what came or went its only value. */
export const changeText = (change: FieldChange): string => {
  const { path } = change
  if (!("old" in change)) return `${clean(path)}: ${quantity(path, change.new)}`
  if (!("new" in change)) return `${clean(path)}: ${quantity(path, change.old)}`
  const [old, next] = [quantity(path, change.old), quantity(path, change.new)]
  const exact = old === next ? [JSON.stringify(change.old), JSON.stringify(change.new)].map(clean) : [old, next]
  return `${clean(path)}: ${exact.join(" → ")}`
}

const signs = { added: "+", removed: "-", changed: "~" } as const
const paints = { added: Output.green, removed: Output.red, changed: Output.yellow } as const

/** What became of something, as Terraform marks it. */
export type Mark = keyof typeof signs

/** `+`, `-` or `~` before a text, in its colour. */
export const marked = (mark: Mark, text: string, on: boolean): string => `${paints[mark](signs[mark], on)} ${text}`

/** A change with its mark. */
export const changeLine = (change: FieldChange, on: boolean): string =>
  marked(!("old" in change) ? "added" : !("new" in change) ? "removed" : "changed", changeText(change), on)

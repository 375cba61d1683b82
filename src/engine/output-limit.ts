import { type LimitsSection, bytesOf } from "../domain/config/limits.ts"
import type { ErrorData } from "../domain/event.ts"
import * as JsonSize from "../domain/json-size.ts"
import { formatSize } from "../domain/quantity.ts"

/** Beyond this nobody counts: it is too much in any case. */
const enough = 64 * 2 ** 20
/** One byte is at most so many in JSON: a control character as an escape. */
const mostEscaped = 6
const largestVerdict = 4 * 2 ** 20
const largestFacts = 256 * 2 ** 10
const largestParams = 2 ** 20

/** What is too large about a value: nothing, or its size as text. No more text is made of it than the limit allows. */
const excess = (value: unknown, limit: number): string | undefined => {
  const least = JsonSize.atLeast(value, Math.max(enough, limit))
  if (least > enough && least > limit) return `more than ${formatSize(enough)} of JSON`
  if (least * mostEscaped <= limit) return undefined
  const bytes = least > limit ? least : Buffer.byteLength(JSON.stringify(value))
  return bytes > limit ? `${bytes} bytes of JSON` : undefined
}

const refusal = (what: string, value: unknown, limit: number, next: string): ErrorData | undefined => {
  const size = excess(value, limit)
  if (size === undefined) return undefined
  const message = `${what} is ${size}, at most ${formatSize(limit)} are allowed. ${next}`
  return { tag: "OutputTooLarge", message, settled: true }
}

const limits = new WeakMap<LimitsSection, number>()

/** Bytes that an output may have; its text is read once. */
const largestOutput = (section: LimitsSection): number => {
  const known = limits.get(section) ?? bytesOf(section.output)
  limits.set(section, known)
  return known
}

/** Why a task's output, encoded, is refused: it is larger than the limits allow; undefined where it is not. */
export const refuse = (task: string, output: unknown, section: LimitsSection): ErrorData | undefined =>
  refusal(
    `The output of ${task}`,
    output,
    largestOutput(section),
    "Store large data as an artifact and put its reference into the output, or raise output in configs/base/limits.yaml",
  )

/** Why what a gate says is refused: it would be too large for an event. */
export const refuseVerdict = (task: string, verdict: unknown): ErrorData | undefined =>
  refusal(`The verdict of ${task}`, verdict, largestVerdict, "Put what is long into a report: an artifact")

/** Facts as an event takes them: what is too large is left out, and says so. */
export const factsWithin = (facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const size = excess(facts, largestFacts)
  if (size === undefined) return facts
  return { leftOut: `its facts are ${size}, an event takes ${formatSize(largestFacts)} of them` }
}

/** Why a run cannot have these params; undefined where it can. */
export const refuseParams = (params: unknown): string | undefined => {
  const size = excess(params, largestParams)
  if (size === undefined) return undefined
  return `The params are ${size}, at most ${formatSize(largestParams)} are allowed. Put large data into a file, and give its path`
}

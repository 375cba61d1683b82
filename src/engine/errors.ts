import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ErrorData } from "../domain/event.ts"
import { FileFailed } from "../services/durable-files.ts"

/** The ledger can no longer be written: nothing more is started, and what ran is lost. */
export class LedgerLost extends Schema.TaggedError<LedgerLost>()("LedgerLost", {
  run: Schema.String,
  reason: Schema.String,
  /** Set where it was lost before the attempt that waited for it began. */
  unbegun: Schema.optionalKey(Schema.Literal(true)),
}) {
  override get message() {
    return `The ledger of run ${this.run} cannot be written: ${this.reason}. The run was stopped; when that is mended: dandori runs resume ${this.run}`
  }
}

/** The loss of a run's ledger by what the operating system said of it. */
export const ledgerLost =
  (run: string) =>
  ({ message }: { readonly message: string }): LedgerLost =>
    new LedgerLost({ run, reason: message })

const trait = (error: object, name: string) => name in error && (error as Record<string, unknown>)[name] === true

/** At most so much of a text, as an event can hold it: no half characters, neither the text's own nor by the cut. */
const textOf = (text: string, most: number): string => text.slice(0, most).toWellFormed()

/** An error as an event holds it: tag, message, and the traits that decide about retries. */
export const ofError = (error: unknown): ErrorData => {
  if (typeof error !== "object" || error === null) return { tag: "Error", message: textOf(String(error), 16_384) }
  const tag = "_tag" in error && typeof error._tag === "string" ? error._tag : error.constructor.name
  const message = "message" in error && typeof error.message === "string" ? error.message : tag
  return {
    tag,
    message: textOf(message, 16_384),
    ...(trait(error, "transient") ? { transient: true } : {}),
    ...(trait(error, "notApplied") ? { notApplied: true } : {}),
    ...(trait(error, "settled") ? { settled: true } : {}),
  }
}

/** An error of the operating system, as a call of `node:fs` throws it. */
const isOfSystem = (error: Error): error is Error & { code: string; syscall: string; path?: string } =>
  "code" in error && typeof error.code === "string" && "syscall" in error && typeof error.syscall === "string"

/** A cause as an event holds it: the typed error, or the defect as `Defect`. */
export const ofCause = (cause: Cause.Cause<unknown>): ErrorData => {
  const error = Cause.findErrorOption(cause)
  if (Option.isSome(error)) return ofError(error.value)
  const defect = Cause.squash(cause)
  if (defect instanceof Error && isOfSystem(defect)) {
    const { code, message, path = "", syscall } = defect
    return ofError(new FileFailed({ path, operation: syscall, code, reason: message }))
  }
  const text = defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)
  return { tag: "Defect", message: `A defect in the task type: ${textOf(text, 4_096)}` }
}

/** The one-line reasons of a failed decode. */
export const decodeFailure = (tag: string, what: string, exit: Exit.Exit<unknown, unknown>): ErrorData => ({
  tag,
  message: `${what}: ${Exit.isFailure(exit) ? ofCause(exit.cause).message : ""}`,
  settled: true,
})

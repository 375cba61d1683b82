import * as Schema from "effect/Schema"
import { Fraction } from "../../src/domain/config/measure.ts"
import { type OpsChange, OpsFlags } from "../../src/domain/ops-flags.ts"
import { Sha256 } from "../../src/domain/sha256.ts"

const operations = ["status", "halt", "resume", "halt-pairs", "resume-pairs", "flatten", "set-leverage"] as const

/** Which inputs an operation takes beside its reason; each that it takes it needs. */
const takes = (operation: (typeof operations)[number]) => ({
  pairs: operation === "halt-pairs" || operation === "resume-pairs" || operation === "flatten",
  scale: operation === "set-leverage",
  reason: operation !== "status",
})

/** A look at the operations flags, or a change of them. */
export const OpsInput = Schema.Struct({
  operation: Schema.Literals(operations).annotate({
    description: "what to do; resume needs another person's approval",
  }),
  pairs: Schema.optionalKey(
    Schema.Array(Schema.NonEmptyString)
      .check(Schema.isMinLength(1), Schema.isUnique())
      .annotate({ description: "ids of the universe section, like [EURUSD-GBPUSD]" }),
  ),
  scale: Schema.optionalKey(Fraction.annotate({ description: "factor of the usual leverage, from 0 to 1" })),
  reason: Schema.optionalKey(
    Schema.NonEmptyString.annotate({ description: "why; kept with the flags. Every change needs one" }),
  ),
  seen: Schema.optionalKey(
    Sha256.annotate({
      description: "digest of the flags as an earlier task left them: resume only while nobody has changed them since",
    }),
  ),
})
  .check(
    Schema.makeFilter((input) => {
      const wanted = Object.entries(takes(input.operation)).find(
        ([name, taken]) => taken !== Object.hasOwn(input, name) && (taken || name !== "reason"),
      )
      if (wanted === undefined) {
        return input.seen === undefined || input.operation === "resume" || `${input.operation} takes no seen`
      }
      const [name, taken] = wanted
      return `${input.operation} ${taken ? `needs ${name}` : `takes no ${name}`}`
    }),
  )
  .annotate({ identifier: "OpsInput" })
export type OpsInput = typeof OpsInput.Type

/** The change that an input asks for; undefined for a look. */
export const changeOf = ({ operation, pairs = [], scale = 1 }: OpsInput): OpsChange | undefined => {
  if (operation === "status") return undefined
  if (operation === "set-leverage") return { operation, scale }
  return operation === "halt" || operation === "resume" ? { operation } : { operation, pairs }
}

/**
 * The flags afterwards. `halted` is true where nothing may act: by the flags, or because they cannot be read
 * (`unreadable` says why). `changed` is false where they said so before.
 */
export const OpsOutput = Schema.Struct({
  operation: Schema.String,
  digest: Sha256.annotate({ description: "of the flags as they are stored, for `seen` of a later task" }),
  changed: Schema.Boolean,
  halted: Schema.Boolean,
  flags: Schema.optionalKey(OpsFlags),
  unreadable: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "OpsOutput" })
export type OpsOutput = typeof OpsOutput.Type

import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Fraction, NonNegative } from "./config/measure.ts"
import * as Sha256 from "./sha256.ts"

const Pair = Schema.NonEmptyString.check(Schema.isMaxLength(128))
const Pairs = Schema.Array(Pair)

/** When the flags were last changed (RFC 3339), why and by what. */
export const Metadata = Schema.Struct({
  updated_at: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  source: Schema.optionalKey(Schema.String),
})
export type Metadata = typeof Metadata.Type

/**
 * The operations flags: what the processes that trade look at before they act. With `global_halt` none acts; a pair in
 * `halted_pairs` is left alone, one in `flatten_pairs` is only closed; `leverage_scale` is a factor of the usual leverage.
 */
export const OpsFlags = Schema.Struct({
  global_halt: Schema.Boolean,
  halted_pairs: Pairs,
  flatten_pairs: Pairs,
  leverage_scale: NonNegative,
  metadata: Schema.optionalKey(Metadata),
}).annotate({ identifier: "OpsFlags" })
export type OpsFlags = typeof OpsFlags.Type

/** The fields of the hash that holds the flags. */
export const fields = ["global_halt", "halted_pairs", "flatten_pairs", "leverage_scale", "metadata"] as const
export type Field = (typeof fields)[number]

/** The hash as it is stored; a field that is not there is absent. Clients give bytes or strings. */
export type Stored = ReadonlyMap<string, Uint8Array | string>

/** What keeps the flags from being read: all of them count as halted. */
export interface Fault {
  readonly field: Field
  readonly reason: string
  /** Whether it is only that nobody has set the flags yet. */
  readonly unset: boolean
}

const texts = {
  global_halt: Schema.Literals(["1", "0"]),
  halted_pairs: Schema.fromJsonString(Pairs),
  flatten_pairs: Schema.fromJsonString(Pairs),
  leverage_scale: Schema.String.check(Schema.isPattern(/^\d+(\.\d+)?([eE][+-]?\d+)?$/)),
  metadata: Schema.fromJsonString(Metadata),
} as const

const wanted: Readonly<Record<Field, string>> = {
  global_halt: "1 or 0",
  halted_pairs: "a JSON list of pairs",
  flatten_pairs: "a JSON list of pairs",
  leverage_scale: "a number that is 0 or more",
  metadata: "a JSON object with the texts updated_at, reason and source",
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** A field's text; undefined where its bytes are no UTF-8. */
const textOf = (value: Uint8Array | string): string | undefined => {
  if (typeof value === "string") return value
  try {
    return utf8.decode(value)
  } catch {
    return undefined
  }
}

const fault = (field: Field, text: string | undefined): Fault => ({
  field,
  unset: false,
  reason: `it is ${text === undefined ? "no UTF-8" : JSON.stringify(text.slice(0, 60))}, not ${wanted[field]}`,
})

const decoders = {
  global_halt: Schema.decodeUnknownOption(texts.global_halt),
  halted_pairs: Schema.decodeUnknownOption(texts.halted_pairs),
  flatten_pairs: Schema.decodeUnknownOption(texts.flatten_pairs),
  leverage_scale: Schema.decodeUnknownOption(texts.leverage_scale),
  metadata: Schema.decodeUnknownOption(texts.metadata),
} as const

type Decoded<F extends Field> = (typeof texts)[F]["Type"]

/** One field; undefined where it is not there. */
const readField = <F extends Field>(stored: Stored, field: F): Result.Result<Decoded<F> | undefined, Fault> => {
  const value = stored.get(field)
  if (value === undefined) return Result.succeed(undefined)
  const text = textOf(value)
  const decoded = decoders[field](text)
  return decoded._tag === "Some" ? Result.succeed(decoded.value as Decoded<F>) : Result.fail(fault(field, text))
}

const unset = "it is not there: nobody has set it yet, or it is lost; dandori ops halt or resume sets it"

/**
 * The flags that a hash holds. `global_halt` has to be there; lists that are not there are empty, and a missing
 * `leverage_scale` is 1. Anything that cannot be read makes all of it unreadable.
 */
export const read = (stored: Stored): Result.Result<OpsFlags, Fault> =>
  Result.gen(function* () {
    const halt = yield* readField(stored, "global_halt")
    if (halt === undefined)
      return yield* Result.fail({ field: "global_halt", reason: unset, unset: true } satisfies Fault)
    const halted = yield* readField(stored, "halted_pairs")
    const flatten = yield* readField(stored, "flatten_pairs")
    const scale = Number((yield* readField(stored, "leverage_scale")) ?? "1")
    if (!Number.isFinite(scale)) return yield* Result.fail(fault("leverage_scale", String(scale)))
    const metadata = yield* readField(stored, "metadata")
    return {
      global_halt: halt === "1",
      halted_pairs: halted ?? [],
      flatten_pairs: flatten ?? [],
      leverage_scale: scale,
      ...(metadata === undefined ? {} : { metadata }),
    }
  })

/** Why the flags keep one from acting, for a pair where one is given; undefined when they do not. */
export const against = (flags: OpsFlags, pair: string | undefined): string | undefined => {
  const why = flags.metadata?.reason === undefined ? "" : `: ${flags.metadata.reason}`
  if (flags.global_halt) return `everything is halted${why}`
  if (pair === undefined) return undefined
  if (flags.halted_pairs.includes(pair)) return `${pair} is halted${why}`
  return flags.flatten_pairs.includes(pair) ? `${pair} is only to be closed${why}` : undefined
}

const some = Pairs.check(Schema.isMinLength(1), Schema.isUnique())

/** A change of the flags. `resume-pairs` takes pairs out of both lists; `scale` is at most what the universe's limits allow. */
export const OpsChange = Schema.Union([
  Schema.Struct({ operation: Schema.Literal("halt") }),
  Schema.Struct({ operation: Schema.Literal("resume") }),
  Schema.Struct({ operation: Schema.Literal("halt-pairs"), pairs: some }),
  Schema.Struct({ operation: Schema.Literal("resume-pairs"), pairs: some }),
  Schema.Struct({ operation: Schema.Literal("flatten"), pairs: some }),
  Schema.Struct({ operation: Schema.Literal("set-leverage"), scale: Fraction }),
])
export type OpsChange = typeof OpsChange.Type

/** A change in words: `halt`, `halt-pairs EURUSD-GBPUSD`, `set-leverage 0.5`. */
export const changeText = (change: OpsChange): string =>
  [change.operation, ...("pairs" in change ? change.pairs : "scale" in change ? [String(change.scale)] : [])].join(" ")

/** The fields that a change starts from; what it does not read it changes whatever it is. */
export const readsOf = ({ operation }: OpsChange): ReadonlyArray<Field> => {
  if (operation === "halt" || operation === "set-leverage") return []
  if (operation === "halt-pairs") return ["halted_pairs"]
  if (operation === "flatten") return ["flatten_pairs"]
  return operation === "resume-pairs" ? ["halted_pairs", "flatten_pairs"] : fields
}

const list = (pairs: Iterable<string>): string => JSON.stringify([...new Set(pairs)].toSorted())

/**
 * The fields that a change sets, metadata aside. It fails where it would start from a field that cannot be read; resume
 * does where any other than `global_halt` cannot, since all would count as halted after it.
 */
export const apply = (stored: Stored, change: OpsChange): Result.Result<Partial<Record<Field, string>>, Fault> =>
  Result.gen(function* () {
    if (change.operation === "halt") return { global_halt: "1" }
    if (change.operation === "set-leverage") return { leverage_scale: String(change.scale) }
    if (change.operation === "resume") {
      yield* read(new Map([...stored, ["global_halt", "0"]]))
      return { global_halt: "0" }
    }
    if (change.operation === "flatten") {
      const flatten = (yield* readField(stored, "flatten_pairs")) ?? []
      return { flatten_pairs: list([...flatten, ...change.pairs]) }
    }
    const halted = (yield* readField(stored, "halted_pairs")) ?? []
    if (change.operation === "halt-pairs") return { halted_pairs: list([...halted, ...change.pairs]) }
    const flatten = (yield* readField(stored, "flatten_pairs")) ?? []
    const rest = (pairs: ReadonlyArray<string>) => list(pairs.filter((pair) => !change.pairs.includes(pair)))
    return { halted_pairs: rest(halted), flatten_pairs: rest(flatten) }
  })

const encoder = new TextEncoder()
const bytesOf = (value: Uint8Array | string) => (typeof value === "string" ? encoder.encode(value) : value)

/** Digest of the fields as they are stored, readable or not: the same for bytes and strings. */
export const digest = (stored: Stored): Sha256.Sha256 =>
  Sha256.of(
    fields
      .map((field) => {
        const value = stored.get(field)
        return `${field} ${value === undefined ? "-" : Buffer.from(bytesOf(value)).toString("hex")}`
      })
      .join("\n"),
  )

/** What a field means where it is not there. */
const unwritten = { halted_pairs: "[]", flatten_pairs: "[]", leverage_scale: "1" } as const

/** Whether a field would mean something else than it does now. */
const differs = (stored: Stored, field: Field, next: string): boolean => {
  const now = readField(new Map([...Object.entries(unwritten), ...stored]), field)
  if (Result.isFailure(now) || now.success === undefined) return true
  if (typeof now.success === "object") return "length" in now.success && list(now.success) !== next
  return field === "leverage_scale" ? Number(now.success) !== Number(next) : now.success !== next
}

/** A change that is about to be made: the fields to set, the event for others, and whether the flags will differ. */
export interface Planned {
  readonly set: Readonly<Partial<Record<Field, string>>>
  readonly event: string
  readonly changed: boolean
}

/** What a change, made at a time by something for a reason, amounts to in the hash and on the channel. */
export const plan = (stored: Stored, change: OpsChange, metadata: Required<Metadata>): Result.Result<Planned, Fault> =>
  Result.map(apply(stored, change), (set) => {
    const { operation, ...rest } = change
    return {
      set: { ...set, metadata: JSON.stringify(metadata) },
      event: JSON.stringify({ event: `ops.${operation}`, ...rest, ...metadata }),
      changed: Object.entries(set).some(([field, next]) => differs(stored, field as Field, next)),
    }
  })

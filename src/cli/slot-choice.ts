import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Slot, slotText } from "../domain/model.ts"
import { didYouMean } from "../domain/suggest.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import * as Output from "./output.ts"

const decode = Schema.decodeUnknownOption(Slot)

/** The slot of a text like `EURUSD-GBPUSD/1h`. */
export const parse = (text: string): Effect.Effect<Slot, Output.UsageError> => {
  const [, legA, legB, timeframe] = /^([^-/]+)-([^-/]+)\/([^/]+)$/.exec(text) ?? []
  return Option.match(decode({ legA, legB, timeframe }), {
    onSome: Effect.succeed,
    onNone: () =>
      Effect.fail(
        new Output.UsageError({ reason: `${text} is no slot. A slot is a pair and a timeframe: EURUSD-GBPUSD/1h` }),
      ),
  })
}

/** The slot that was named, or every slot that the registry has a version for. */
export const choose = Effect.fnUntraced(function* (text: string | undefined) {
  const registry = yield* ModelRegistry
  const rows = yield* registry.list()
  const slots = new Map(rows.map((row) => [slotText(row.slot), row.slot]))
  const all = [...slots.keys()].toSorted()
  if (text === undefined) return all.flatMap((name) => slots.get(name) ?? [])
  const slot = yield* parse(text)
  if (slots.has(slotText(slot))) return [slot]
  const known = all.length === 0 ? "It has none yet" : `It has ${all.join(", ")}`
  return yield* new Output.UsageError({ reason: `The registry has no slot ${text}.${didYouMean(text, all)} ${known}.` })
})

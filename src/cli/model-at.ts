import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { slotText } from "../domain/model.ts"
import type { AliasMove } from "../domain/registry.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import * as Attestation from "./attestation.ts"
import { Missing } from "./missing.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import { plain } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import * as RegistryProblems from "./registry-problems.ts"
import { root } from "./root.ts"
import * as SlotChoice from "./slot-choice.ts"

type Testified = AliasMove & { readonly attestation: Attestation.Attestation; readonly synthetic: boolean }

/** The move with whether its intent is in the ledger, and whether the version that it made champion is synthetic. */
const testify = Effect.fnUntraced(function* (moves: ReadonlyArray<AliasMove>) {
  const registry = yield* ModelRegistry
  const lookUp = yield* Attestation.make((yield* registry.histories).moves)
  return yield* Effect.forEach(moves, (move) =>
    Effect.gen(function* () {
      const row = move.version === null ? Option.none() : yield* registry.find(move.version)
      const synthetic = Option.isSome(row) && row.value.synthetic
      return { ...move, synthetic, attestation: yield* lookUp(move) } satisfies Testified
    }),
  )
})

const moveLines = (move: Testified, colour: boolean): ReadonlyArray<string> => {
  const version = move.version === null ? "none" : Output.bold(plain(move.version), colour)
  const synthetic = move.synthetic ? `  ${Output.yellow("SYNTHETIC", colour)}` : ""
  const intent = Attestation.describe(move.intent, move.attestation)
  return [
    `${plain(move.slot)}  champion ${version}${synthetic}`,
    `  since    ${move.at}${move.from === null ? "" : `, before it ${plain(move.from)}`}`,
    `  moved by ${plain(move.who)}: ${plain(move.reason)}`,
    `  digest   ${move.digest ?? "-"}`,
    `  receipt  ${move.receipt ?? "none"}`,
    `  run      ${plain(move.run)}, task ${plain(move.task)}`,
    `  intent   ${move.attestation.attested ? intent : Output.red(intent, colour)}`,
  ]
}

/** What is wrong with the registry as a whole and with these moves. */
const problemsOf = (moves: ReadonlyArray<Testified>) =>
  Effect.map(RegistryProblems.find, (found) => [...found, ...RegistryProblems.contradicted("alias_history", moves)])

const withRegistry = <A, E, R>(use: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const place = yield* Readers.find
    if (!(yield* Readers.hasRegistry(place))) {
      return yield* new Missing({ what: "No model has been registered yet", next: "Publish one (task type publish)" })
    }
    return yield* Effect.provide(use, Layer.mergeAll(Readers.registry(place), Readers.ledger(place)))
  })

/** Tells which version was champion of each slot (or the one named) at a time, and what testifies to it. */
export const showChampions = Effect.fnUntraced(function* (time: string, slotName: string | undefined) {
  const { json, quiet } = yield* root
  const millis = yield* Moment.read(time)
  const at = new Date(millis).toISOString()
  const found = yield* withRegistry(
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const slots = yield* SlotChoice.choose(slotName)
      const moves = yield* Effect.forEach(slots, (slot) =>
        Effect.map(registry.at(slot, millis), (move) => ({ slot: slotText(slot), move: Option.getOrUndefined(move) })),
      )
      const testified = yield* testify(moves.flatMap(({ move }) => move ?? []))
      return { slots: moves.map(({ slot }) => slot), testified, problems: yield* problemsOf(testified) }
    }),
  )
  const answers = found.slots.map((slot) => ({
    slot,
    move: found.testified.find((move) => move.slot === slot) ?? null,
  }))
  if (json) {
    yield* Output.json({ v: 1, kind: "model-at", time: at, slots: answers, problems: found.problems })
  } else if (quiet) {
    yield* Output.data(answers.map(({ slot, move }) => `${slot} ${move?.version ?? "none"}`).join("\n"))
  } else {
    const colour = Output.colours(process.stdout)
    const blocks = answers.map(({ slot, move }) =>
      move === null ? [`${slot}  champion none: nothing had been deployed`] : moveLines(move, colour),
    )
    yield* Output.data([`at ${at}`, ...blocks.flat()].join("\n"))
  }
  yield* RegistryProblems.report(found.problems)
})

/** Shows every move of champion, oldest first. */
export const showHistory = Effect.fnUntraced(function* (slotName: string | undefined) {
  const { json, quiet } = yield* root
  const { moves, problems } = yield* withRegistry(
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const slots = yield* SlotChoice.choose(slotName)
      const all = (yield* Effect.forEach(slots, registry.history)).flat()
      const moves = yield* testify(all.toSorted((a, b) => a.sequence - b.sequence))
      return { moves, problems: yield* problemsOf(moves) }
    }),
  )
  if (json) {
    yield* Effect.forEach(moves, (move) => Output.json({ v: 1, kind: "alias-move", ...move }))
    yield* Effect.forEach(problems, (problem) => Output.json({ v: 1, kind: "problem", ...problem }))
  } else if (quiet) {
    yield* Effect.forEach(moves, (move) => Output.data(`${move.at} ${move.slot} ${move.version ?? "none"}`))
  } else if (moves.length === 0) yield* Output.message("Nothing has been deployed yet.")
  else {
    const colour = Output.colours(process.stdout)
    yield* Output.data(moves.flatMap((move) => moveLines(move, colour)).join("\n"))
  }
  yield* RegistryProblems.report(problems)
})

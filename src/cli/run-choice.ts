import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import { chooseRun } from "./stream-choice.ts"

/** Least number of characters of an ending that names a run; the beginnings of runs made together are alike. */
const shortestEnding = 4

/** The run that a person named: by its id, by a beginning or by an ending that only it has. */
export const choose = Effect.fnUntraced(function* (name: string) {
  const ending = name.toLowerCase()
  const runs = yield* (yield* Ledger).runs
  const found = ending.length < shortestEnding ? [] : runs.filter((run) => run.endsWith(ending))
  const [only] = found
  return found.length === 1 && only !== undefined && !runs.some((run) => run.startsWith(ending) && run !== only)
    ? only
    : yield* chooseRun(name)
})

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Logger from "effect/Logger"
import { conceal } from "../services/secret-forms.ts"

/** What is logged is said, without secrets, a line or more each. */
export const layer = (say: (text: string) => Effect.Effect<void>) =>
  Logger.layer([
    Logger.make(({ cause, message }) => {
      const words = (Array.isArray(message) ? message : [message]).map((word) =>
        typeof word === "string" ? word : Inspectable.toStringUnknown(word),
      )
      const why = cause.reasons.length === 0 ? "" : `: ${Cause.pretty(cause)}`
      Effect.runFork(say(conceal(`${words.join(" ")}${why}`)))
    }),
  ])

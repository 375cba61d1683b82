import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { root } from "../root.ts"

/** `dandori version`; without flags it is answered before the rest of the program is loaded. */
export const version = (text: string) =>
  Command.make("version").pipe(
    Command.withHandler(() =>
      Effect.gen(function* () {
        const { json } = yield* root
        const Output = yield* Effect.promise(() => import("../output.ts"))
        yield* json ? Output.json({ v: 1, kind: "version", version: text }) : Output.data(`dandori ${text}`)
      }),
    ),
    Command.withDescription("Print the version"),
  )

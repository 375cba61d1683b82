import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { CommandCollector } from "../../../domain/config/evacuation.ts"
import { Workspace } from "../../workspace.ts"
import { type Capture, CaptureFailed, word } from "./capture.ts"
import * as Program from "./program.ts"

/** What a program of the configuration prints, on standard output and on standard error; failed where it ends with another code than 0. */
export const of =
  (collector: CommandCollector): Capture =>
  (lines, { maxBytes }) =>
    Effect.gen(function* () {
      const { project } = yield* Workspace
      const cwd = resolve(project, collector.cwd ?? ".")
      let isBegun = false
      const begin = () => {
        if (!isBegun) lines.add(`$ ${collector.argv.map(word).join(" ")}`)
        isBegun = true
      }
      const onStdout = (text: string) => {
        begin()
        lines.add(text)
      }
      const said = yield* Program.run({ argv: collector.argv, cwd, maxBytes, onStdout }).pipe(
        Effect.catchTag("NothingToTake", ({ reason }) => Effect.fail(new CaptureFailed({ reason }))),
      )
      begin()
      if (said.stderr !== "") {
        lines.add("# standard error")
        lines.add(said.stderr)
      }
      if (!said.whole) return lines.cut()
      lines.add(`# ended with ${said.exitCode}`)
      if (said.exitCode !== 0) return yield* new CaptureFailed({ reason: `it ended with ${said.exitCode}` })
    })

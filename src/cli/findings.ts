import * as Effect from "effect/Effect"
import type { Finding, Level } from "../services/config-doctor.ts"
import { exitCodes } from "./exit-code.ts"
import * as Output from "./output.ts"
import { count, plain } from "./plain-text.ts"
import { root } from "./root.ts"

const paints: Readonly<Record<Level, (text: string, on: boolean) => string>> = {
  ok: Output.green,
  warning: Output.yellow,
  missing: Output.red,
  error: Output.red,
}

const line = ({ section, level, what, fix }: Finding, colour: boolean): string => {
  const said = `${paints[level](level.padEnd(7), colour)}  ${section.padEnd(14)}  ${plain(what)}`
  return fix === "" ? said : `${said}\n${" ".repeat(25)}-> ${plain(fix)}`
}

/** Says what was found, and ends with 78 when something is missing or wrong. `subject` names what was looked at. */
export const report = Effect.fnUntraced(function* (
  kind: string,
  subject: Readonly<Record<string, string>>,
  findings: ReadonlyArray<Finding>,
) {
  const { json, quiet } = yield* root
  const bad = findings.filter(({ level }) => level === "missing" || level === "error").length
  const colour = Output.colours(process.stdout)
  if (json) yield* Output.json({ v: 1, kind, ...subject, findings })
  else {
    const shown = quiet ? findings.filter(({ level }) => level !== "ok") : findings
    if (shown.length > 0) yield* Output.data(shown.map((finding) => line(finding, colour)).join("\n"))
    if (!quiet) {
      const verdict = bad === 0 ? "Nothing is missing." : `${count(bad, "thing is", "things are")} missing or wrong.`
      yield* Output.message(verdict)
    }
  }
  yield* Output.exitWith(bad === 0 ? exitCodes.ok : exitCodes.config)
})

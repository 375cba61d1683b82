import * as Effect from "effect/Effect"
import type { Finding, Level } from "../services/config-finding.ts"
import { conceal } from "../services/secret-forms.ts"
import { exitCodes } from "./exit-code.ts"
import * as Output from "./output.ts"
import { count, plain } from "./plain-text.ts"
import { root } from "./root.ts"

const paints: Readonly<Record<Level, (text: string, on: boolean) => string>> = {
  ok: Output.green,
  warning: Output.yellow,
  missing: Output.red,
  error: Output.red,
  unavailable: Output.red,
}

const line = ({ section, level, what, fix }: Finding, colour: boolean): string => {
  const said = `${paints[level](level.padEnd(11), colour)}  ${section.padEnd(14)}  ${plain(what)}`
  return fix === "" ? said : `${said} -> ${plain(fix)}`
}

/** What is missing or wrong comes before what does not answer: it has to be mended, and the rest may come back by itself. */
const codeOf = (findings: ReadonlyArray<Finding>): number => {
  const levels = new Set(findings.map(({ level }) => level))
  if (levels.has("missing") || levels.has("error")) return exitCodes.config
  return levels.has("unavailable") ? exitCodes.unavailable : exitCodes.ok
}

const verdictOf = (findings: ReadonlyArray<Finding>): string => {
  const bad = findings.filter(({ level }) => level === "missing" || level === "error").length
  const away = findings.filter(({ level }) => level === "unavailable").length
  if (bad + away === 0) return "Nothing is missing."
  const parts = [
    ...(bad === 0 ? [] : [`${count(bad, "thing is", "things are")} missing or wrong`]),
    ...(away === 0 ? [] : [`${count(away, "server does", "servers do")} not answer`]),
  ]
  return `${parts.join(", ")}.`
}

/**
 * Says what was found, a line each; ends with 78 when something is missing or wrong, else with 69 when a server does not
 * answer. `subject` names what was looked at.
 */
export const report = Effect.fnUntraced(function* (
  kind: string,
  subject: Readonly<Record<string, string>>,
  found: ReadonlyArray<Finding>,
) {
  const findings = found.map((each): Finding => ({ ...each, what: conceal(each.what), fix: conceal(each.fix) }))
  const { json, quiet } = yield* root
  const colour = Output.colours(process.stdout)
  if (json) yield* Output.json({ v: 1, kind, ...subject, findings })
  else {
    const shown = quiet ? findings.filter(({ level }) => level !== "ok") : findings
    if (shown.length > 0) yield* Output.data(shown.map((finding) => line(finding, colour)).join("\n"))
    if (!quiet) yield* Output.message(verdictOf(findings))
  }
  yield* Output.exitWith(codeOf(findings))
})

import * as Outcome from "../../domain/evacuation-outcome.ts"
import { formatSize } from "../../domain/quantity.ts"
import type { Hint } from "../hint.ts"
import * as Output from "../output.ts"
import { argument, clean } from "./line.ts"

/** Most sentences about what is missing that are said on a screen. */
const most = 8

/** The command that goes on with an incident. */
export const goOn = (incident: string, hint: Hint, more = ""): string =>
  hint.files(`evacuate${incident === "" ? "" : ` --incident ${argument(incident)}`}${more}`)

const words: Readonly<Record<Outcome.Standing, string>> = {
  complete: "COMPLETE",
  refused: "REFUSED",
  "not-away": "NOT AWAY",
  partial: "PARTIAL",
  failed: "FAILED",
}

const what = (outcome: Outcome.EvacuationOutcome, standing: Outcome.Standing): string => {
  const { push, verify } = outcome
  const much = push === undefined ? "" : `${push.objects.toLocaleString("en-US")} objects, ${formatSize(push.bytes)}`
  const where = push === undefined ? "" : clean(push.location)
  switch (standing) {
    case "complete":
      return `${much}, are in ${where}; ${(verify?.verified ?? 0).toLocaleString("en-US")} objects there were verified by digest.`
    case "refused":
      return `a destination answered and is not to be trusted. ${push === undefined ? "Nothing was sent." : `What there is, is in ${where}${push.away ? "" : " on this machine"}: ${much}.`}`
    case "not-away":
      return `nothing has left this machine. ${much}, are only in ${where}: copy that folder away, or name a destination.`
    case "partial":
      return `not everything is done. ${much}, are in ${where}.`
    case "failed":
      return "no destination took anything. What was collected is only in the incident's folder on this machine."
  }
}

/** What to do now. */
const next = (outcome: Outcome.EvacuationOutcome, standing: Outcome.Standing, hint: Hint): string | undefined => {
  if (standing === "complete") return undefined
  return goOn(outcome.incident, hint, standing === "partial" ? "" : " --destination s3://bucket/prefix")
}

const limited = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= most ? lines : [...lines.slice(0, most - 1), `and ${lines.length - most + 1} more; see the record`]

/** How an evacuation ended, for somebody who is tired: the word, what is missing, what to do, where the record lies. */
export const statement = (outcome: Outcome.EvacuationOutcome, colours: boolean, hint: Hint): string => {
  const standing = Outcome.standingOf(outcome)
  const word = Output.bold(words[standing], colours)
  const paint = standing === "complete" ? Output.green : standing === "partial" ? Output.yellow : Output.red
  const command = next(outcome, standing, hint)
  const refusals = Outcome.refused(outcome).map(({ reason, rung }) => `${rung} is not to be trusted: ${reason}`)
  const latest = outcome.verify?.latest
  const notes = [
    ...(latest === undefined || latest.moved
      ? []
      : [`The pointer latest was not moved: ${clean(latest.reason ?? "it is not said why")}`]),
    ...(outcome.drill ? ["It was a drill: nothing was stopped and no cordon is raised."] : []),
  ]
  return [
    `${paint(word, colours)}  ${what(outcome, standing)}`,
    ...(standing === "complete"
      ? []
      : limited([...refusals, ...Outcome.lacks(outcome)]).map((line) => `  - ${clean(line)}`)),
    ...notes,
    ...(command === undefined ? [] : [`Go on:     ${command}`]),
    ...(outcome.folder === "" ? [] : [`Incident:  ${clean(outcome.folder)}`]),
    ...(outcome.report === undefined ? [] : [`Record:    ${clean(outcome.report.html)}`]),
    // Whoever notes it somewhere else can tell later that nobody put another key into the bundles.
    ...(outcome.manifest?.keyid === undefined ? [] : [`Signed by: ${outcome.manifest.keyid}`]),
    `Exit code: ${Outcome.exitCodeOf(outcome)}`,
  ].join("\n")
}

/** How an evacuation ended, as a line for programs. */
export const statementJson = (outcome: Outcome.EvacuationOutcome, hint: Hint) => {
  const standing = Outcome.standingOf(outcome)
  const { drill, failed: _, folder, incident, named, report, ...answers } = outcome
  return {
    v: 1,
    kind: "evacuation",
    incident,
    folder,
    drill,
    outcome: standing,
    exitCode: Outcome.exitCodeOf(outcome),
    missing: Outcome.lacks(outcome),
    named,
    ...answers,
    ...(report === undefined ? {} : { report: { markdown: report.markdown, html: report.html } }),
    ...(standing === "complete" ? {} : { next: goOn(incident, hint) }),
  }
}

import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Coverage } from "./bundle.ts"
import { IncidentId } from "./incident.ts"
import { Sha256 } from "./sha256.ts"
import { Remaining } from "./stopped.ts"

/** The sub-types of an evacuation in their order: `evacuate/<step>`. */
export const steps = [
  "open",
  "cordon",
  "volatile",
  "stop",
  "collect",
  "push",
  "manifest",
  "verify",
  "recover",
  "report",
] as const
export type Step = (typeof steps)[number]

const Texts = Schema.Array(Schema.String)
const Collecting = Schema.Struct({
  ok: Schema.Int,
  skipped: Schema.Int,
  failed: Schema.Int,
  problems: Schema.optionalKey(Texts),
})

/** A destination that did not take everything, and why. `refused`: it answered, and is not to be trusted with anything. */
export const Refusal = Schema.Struct({ rung: Schema.String, reason: Schema.String, refused: Schema.Boolean })
export type Refusal = typeof Refusal.Type

/** What the sub-types answered, each as far as it is needed to say how an evacuation ended. */
const answers = {
  cordon: Schema.Struct({ raised: Schema.Boolean, problem: Schema.optionalKey(Schema.String) }),
  stop: Schema.Struct({ complete: Schema.Boolean, remaining: Schema.Array(Remaining) }),
  volatile: Collecting,
  collect: Collecting,
  push: Schema.Struct({
    rung: Schema.String,
    location: Schema.String,
    away: Schema.Boolean,
    objects: Schema.Int,
    bytes: Schema.Int,
    sent: Schema.Int,
    notTaken: Schema.Int,
    complete: Schema.Boolean,
    refusals: Schema.Array(Refusal),
  }),
  manifest: Schema.Struct({ complete: Schema.Boolean, keyid: Schema.optionalKey(Sha256) }),
  verify: Schema.Struct({
    verified: Schema.Int,
    failed: Schema.Int,
    problems: Texts,
    complete: Schema.Boolean,
    latest: Schema.optionalKey(Schema.Struct({ moved: Schema.Boolean, reason: Schema.optionalKey(Schema.String) })),
    coverage: Schema.optionalKey(
      Schema.Struct({
        seen: Coverage.fields.seen,
        taken: Coverage.fields.taken,
        notTaken: Coverage.fields.notTaken,
        unstable: Coverage.fields.unstable,
      }),
    ),
  }),
  recover: Schema.Struct({
    complete: Schema.Boolean,
    failed: Schema.Array(Schema.Struct({ name: Schema.String, reason: Schema.String })),
  }),
  report: Schema.Struct({
    markdown: Schema.String,
    html: Schema.String,
    sha256: Sha256,
    startedAgain: Schema.optionalKey(Schema.Array(Remaining)),
  }),
} as const

/**
 * How an evacuation ended. An answer is missing where its task failed, did not run, or did not say what it should;
 * `failed` are the tasks that failed. `folder` is the incident's. `named`: the destination that took it is the one that
 * the user named. `startedAgain`: what was seen to run when the report was written, though it had been stopped.
 */
export const EvacuationOutcome = Schema.Struct({
  incident: IncidentId,
  folder: Schema.String,
  drill: Schema.Boolean,
  named: Schema.Boolean,
  failed: Schema.Array(Schema.Struct({ step: Schema.String, message: Schema.String })),
  startedAgain: Schema.optionalKey(Schema.Array(Remaining)),
  cordon: Schema.optionalKey(answers.cordon),
  stop: Schema.optionalKey(answers.stop),
  volatile: Schema.optionalKey(answers.volatile),
  collect: Schema.optionalKey(answers.collect),
  push: Schema.optionalKey(answers.push),
  manifest: Schema.optionalKey(answers.manifest),
  verify: Schema.optionalKey(answers.verify),
  recover: Schema.optionalKey(answers.recover),
  report: Schema.optionalKey(answers.report),
}).annotate({ identifier: "EvacuationOutcome" })
export type EvacuationOutcome = typeof EvacuationOutcome.Type

const decoders = Object.entries(answers).map(
  ([step, schema]) => [step, Schema.decodeUnknownOption(schema as Schema.Codec<unknown>)] as const,
)

/** The outcome of what the sub-types answered, by step; an answer of another shape is none. */
export const ofAnswers = (
  about: Pick<EvacuationOutcome, "drill" | "failed" | "folder" | "incident" | "named">,
  given: Readonly<Record<string, unknown>>,
): EvacuationOutcome => ({
  ...about,
  ...Object.fromEntries(
    decoders.flatMap(([step, decode]) => Option.toArray(decode(given[step])).map((answer) => [step, answer] as const)),
  ),
})

const count = (number: number, one: string, many: string) =>
  `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`

/** Whether what the destination has is out of reach of what happens to this machine, or where the user wanted it. */
export const isAway = ({ named, push }: EvacuationOutcome): boolean => push !== undefined && (push.away || named)

const without = (problems: number, text: string): ReadonlyArray<string> => (problems === 0 ? [] : [text])

const ofCollecting = (step: "volatile" | "collect", answer: typeof Collecting.Type | undefined) => {
  const what = step === "volatile" ? "the volatile evidence" : "the durable evidence"
  if (answer === undefined) return [`${what}: was not collected`]
  const { failed, problems = [] } = answer
  if (failed === 0 && problems.length === 0) return []
  const how = failed === 0 ? "there were problems" : `${count(failed, "collector", "collectors")} failed`
  const more = problems.length > 3 ? "; …" : ""
  return [`${what}: ${how}${problems.length === 0 ? "" : ` (${problems.slice(0, 3).join("; ")}${more})`}`]
}

const ofCordon = (answer: EvacuationOutcome["cordon"]): ReadonlyArray<string> => {
  if (answer === undefined) return ["it is not known whether the cordon is raised"]
  return without(answer.raised ? 0 : 1, `the cordon is not raised: ${answer.problem ?? "it is not said why"}`)
}

const named = (remaining: ReadonlyArray<Remaining>): string => {
  const first = remaining.slice(0, 3).map(({ container, pid, reason, target }) => {
    const which = pid === undefined ? (container ?? "") : `pid ${pid}`
    return `${target}${which === "" ? "" : ` ${which}`} (${reason})`
  })
  return `${first.join(", ")}${remaining.length > 3 ? ` and ${remaining.length - 3} more` : ""}`
}

const ofStop = ({ report, startedAgain = report?.startedAgain ?? [], stop }: EvacuationOutcome) => {
  if (stop === undefined) return ["it is not known whether everything was stopped"]
  const { complete, remaining } = stop
  return [
    ...without(startedAgain.length, `runs again though it was stopped: ${named(startedAgain)}`),
    ...without(remaining.length, `still runs, or may: ${named(remaining)}`),
    ...without(complete || remaining.length > 0 ? 0 : 1, "not everything was stopped"),
  ]
}

const ofPush = (outcome: EvacuationOutcome): ReadonlyArray<string> => {
  const { push } = outcome
  if (push === undefined) return ["no destination took anything"]
  return [
    ...without(push.notTaken, `${count(push.notTaken, "file was", "files were")} not taken`),
    ...without(push.complete ? 0 : 1, `${push.location} has not confirmed everything`),
    ...without(isAway(outcome) ? 0 : 1, "nothing has left this machine"),
  ]
}

const ofVerify = ({ push, verify }: EvacuationOutcome): ReadonlyArray<string> => {
  if (verify === undefined) return ["nothing was verified"]
  const found = [
    ...without(verify.failed, `${count(verify.failed, "object is", "objects are")} not what was sent`),
    ...without(verify.verified > 0 || (push?.objects ?? 0) === 0 ? 0 : 1, "no object was verified"),
    ...without(
      verify.coverage?.notTaken ?? 0,
      `${count(verify.coverage?.notTaken ?? 0, "file that was seen is", "files that were seen are")} not there`,
    ),
  ]
  if (found.length > 0) return found
  return [
    ...without(verify.problems.length, `the verification found problems: ${verify.problems.slice(0, 3).join("; ")}`),
    ...without(verify.complete ? 0 : 1, "the verification is not complete"),
  ]
}

const ofRecover = (answer: EvacuationOutcome["recover"]): ReadonlyArray<string> => {
  if (answer === undefined) return ["it is not known whether anything was brought up"]
  if (answer.failed.length > 0) return answer.failed.map(({ name, reason }) => `${name} was not brought up: ${reason}`)
  return without(answer.complete ? 0 : 1, "not everything was brought up")
}

/** What is missing for an evacuation to be complete and away, a sentence each, before its report is written. */
export const lacksBeforeReport = (outcome: EvacuationOutcome): ReadonlyArray<string> => [
  ...outcome.failed.map(({ message, step }) => `${step} failed: ${message}`),
  ...(outcome.drill ? [] : ofCordon(outcome.cordon)),
  ...ofCollecting("volatile", outcome.volatile),
  ...(outcome.drill ? [] : ofStop(outcome)),
  ...ofCollecting("collect", outcome.collect),
  ...ofPush(outcome),
  ...(outcome.manifest === undefined
    ? ["there is no manifest"]
    : without(outcome.manifest.complete ? 0 : 1, "the manifest does not list everything")),
  ...ofVerify(outcome),
  ...(outcome.drill ? [] : ofRecover(outcome.recover)),
]

/** What is missing for an evacuation to be complete and away, a sentence each; nothing where it is. */
export const lacks = (outcome: EvacuationOutcome): ReadonlyArray<string> => [
  ...lacksBeforeReport(outcome),
  ...(outcome.report === undefined ? ["there is no post-mortem record"] : []),
]

/** Destinations that answered and are not to be trusted. */
export const refused = ({ push }: EvacuationOutcome): ReadonlyArray<Refusal> =>
  (push?.refusals ?? []).filter((refusal) => refusal.refused)

/** What an evacuation has come to, in a word. `not-away`: it is whole, and only on this machine. */
export type Standing = "complete" | "refused" | "not-away" | "partial" | "failed"

/**
 * How it stands: `complete` only where nothing lacks; `refused` where a destination is not to be trusted and no other one
 * away from here took everything; `failed` where nothing at all was kept.
 */
export const standingOf = (outcome: EvacuationOutcome): Standing => {
  const { push } = outcome
  if (lacks(outcome).length === 0) return "complete"
  if (refused(outcome).length > 0 && !(push?.complete === true && isAway(outcome))) return "refused"
  if (push === undefined || push.objects === 0) return "failed"
  return isAway(outcome) ? "partial" : "not-away"
}

const codes: Readonly<Record<Standing, number>> = { complete: 0, refused: 15, "not-away": 14, partial: 14, failed: 1 }

/** The exit code of an evacuation: 0 only when all of it is complete, verified and away, or where the user wanted it. */
export const exitCodeOf = (outcome: EvacuationOutcome): number => codes[standingOf(outcome)]

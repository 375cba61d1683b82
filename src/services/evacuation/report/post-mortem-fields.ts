import * as Outcome from "../../../domain/evacuation-outcome.ts"
import { formatSize } from "../../../domain/quantity.ts"
import type { Moment } from "./ledger-timeline.ts"
import type { PostMortem } from "./post-mortem.ts"
import { timeline } from "./post-mortem-timeline.ts"
import { localTime, plural, rowTime, utcTime } from "./post-mortem-words.ts"
import { type Block, type Inline, type Section, atMost, text } from "./record-document.ts"

/** Most rows of the timeline from before the opening, and from then on. */
const mostBefore = 100
const mostSince = 400

const people = (field: string, hint: string): Block => ({ kind: "people", field, hint })
const list = (items: ReadonlyArray<string>): Block => ({ kind: "list", items: items.map((item) => [item]) })

const taken = ({ outcome, record }: PostMortem): ReadonlyArray<Inline> => {
  const { push, verify } = outcome
  if (push === undefined) {
    const { pushed } = record
    const known =
      pushed.length === 0 ? "nothing is confirmed" : `${plural(pushed.length, "object is", "objects are")} confirmed`
    return [`How the push ended is not known: ${known}. `]
  }
  const verified =
    verify === undefined
      ? " and were not verified. "
      : `. ${plural(verify.verified, "object", "objects")} there, the bundles' own files among them, ${verify.verified === 1 ? "was" : "were"} verified by digest. `
  return [
    `${plural(push.objects, "object", "objects")} (${formatSize(push.bytes)}) went to `,
    { code: push.location },
    `${push.away ? "" : " on this machine"}${verified}`,
  ]
}

const stopped = ({ record }: PostMortem): string => {
  if (record.folder.incident.drill) return "It was a drill: no cordon was raised, nothing was stopped or brought up."
  if (record.stopped === undefined) return "What was stopped is not known."
  const { remaining, stops } = record.stopped
  const gone = stops.flatMap(({ containers, ended, processes, remaining: those }) =>
    ended === undefined
      ? []
      : [
          ...processes.filter(({ pid }) => !those.some((left) => left.pid === pid)),
          ...containers.filter(({ id }) => !those.some((left) => left.container === id)),
        ],
  )
  const left = remaining.length === 0 ? "" : `; ${plural(remaining.length, "is", "are")} left or may be`
  return `${plural(gone.length, "process or container was", "processes and containers were")} stopped${left}.`
}

/** What is missing, and the destinations that took nothing. */
const missing = ({ outcome }: PostMortem): ReadonlyArray<string> => [
  ...Outcome.lacksBeforeReport(outcome),
  ...(outcome.push?.refusals ?? []).map(
    ({ reason, refused, rung }) =>
      `destination ${rung} ${refused ? "is not to be trusted" : "did not take it"}: ${reason}`,
  ),
]

const summary = (given: PostMortem): Section => {
  const { incident } = given.record.folder
  const wrong = missing(given)
  const { call } = given.record.folder
  const limits = call.deadline === undefined ? "" : `, until ${rowTime(call.deadline, given.zone)} at the latest`
  return {
    title: "Summary",
    blocks: [
      text(
        `${incident.owner} ${incident.drill ? "drilled the evacuation of" : "evacuated"} ${incident.host} (env ${incident.env}, project `,
        { code: incident.project },
        `)${limits}: ${incident.reason.replace(/\.$/, "")}. `,
        ...taken(given),
        stopped(given),
      ),
      ...(wrong.length === 0
        ? [text("Nothing failed and nothing is missing.")]
        : [text("What failed or is missing:"), list(wrong)]),
      people("summary", "the incident commander, if there is more to say: what happened, in two sentences."),
    ],
  }
}

const impact = ({ outcome, record }: PostMortem): Section => {
  const targets = [
    ...new Set(
      (record.stopped?.stops ?? [])
        .filter(({ containers, processes }) => processes.length + containers.length > 0)
        .map(({ target }) => target),
    ),
  ]
  const since = record.stopped?.stops.reduce((least, { began }) => Math.min(least, began), Number.POSITIVE_INFINITY)
  const known =
    targets.length === 0 || since === undefined
      ? "Of what was stopped nothing is known here."
      : `The evacuation stopped ${targets.join(", ")}, from ${utcTime(since)} on.`
  return {
    title: "Impact",
    blocks: [
      ...(outcome.drill ? [text("None by this evacuation: it was a drill.")] : [text(known)]),
      people("impact", "the incident commander: who and what was affected, how badly, from when to when."),
    ],
  }
}

const detection = ({ record, zone }: PostMortem): Section => {
  const { opened } = record.folder.incident
  return {
    title: "Detection time",
    blocks: [
      text("The incident was opened:"),
      list([`local: ${localTime(opened, zone)}`, `UTC: ${utcTime(opened)}`]),
      people("detection", "whoever noticed it: when and how it was noticed, if that was before the opening."),
    ],
  }
}

const hypothesis = ({ record, told, zone }: PostMortem): Section => {
  const { opened } = record.folder.incident
  const bad = told.moments.filter(({ at, bad }) => bad && at <= opened).toSorted((a, b) => a.at - b.at)
  const shown = bad.slice(-10).map(({ at, of, text: said }) => `${rowTime(at, zone)} ${of}: ${said}`)
  return {
    title: "Hypothesis",
    blocks: [
      ...(shown.length === 0
        ? [text("In the two hours before the opening the ledger that could be read shows no failure.")]
        : [
            text(
              `What the ledger shows as failed in the two hours before the opening${bad.length > 10 ? ` (the last 10 of ${bad.length})` : ""}:`,
            ),
            list(shown),
          ]),
      people("hypothesis", "those who investigate: what they think has happened, and what speaks for it."),
    ],
  }
}

const rows = (moments: ReadonlyArray<Moment>, zone: string): Block => ({
  kind: "table",
  heads: [`Time (${zone})`, "Who", "What"],
  rows: moments.map(({ at, bad, of, text: said }) => [
    { whole: rowTime(at, zone) },
    of.length > 40 ? of : { whole: of },
    bad ? { alarm: said } : said,
  ]),
})

const history = ({ record, told, zone }: PostMortem): Section => {
  const all = timeline(record, told.moments)
  const { opened } = record.folder.incident
  const before = all.filter(({ at }) => at < opened)
  const since = all.filter(({ at }) => at >= opened)
  const { more, shown } = atMost(since, mostSince, "collected.ndjson, stopped.json and pushed.ndjson")
  const left = before.length - mostBefore
  return {
    title: "Timeline",
    blocks: [
      text(
        "What the ledger's files and the incident's own lists say, by this machine's clock. Whether the ledger holds is said by ",
        { code: "dandori ledger verify" },
        ".",
      ),
      ...(left > 0
        ? [text(`${plural(left, "earlier entry is", "earlier entries are")} in the ledger and not shown.`)]
        : []),
      rows([...before.slice(-mostBefore), ...shown], zone),
      ...(more === undefined ? [] : [text(...more)]),
      people("timeline", "everybody who took part: what the machine could not see (calls, decisions, hands)."),
    ],
  }
}

const interim = ({ outcome, record }: PostMortem): Section => {
  const up = (record.recovered?.starts ?? []).map(({ failed, name, ready }) =>
    ready !== undefined
      ? `${name} was brought up and is ready since ${utcTime(ready)}.`
      : `${name} was started and is not ready${failed === undefined ? "" : `: ${failed}`}.`,
  )
  const cordon = outcome.drill
    ? []
    : outcome.cordon?.raised === true
      ? [
          `The cordon ${record.folder.incident.id} keeps new work from starting until it is lifted: dandori cordon lift ${record.folder.incident.id}`,
          ...(outcome.cordon.problem === undefined ? [] : [`It does not stand everywhere: ${outcome.cordon.problem}`]),
        ]
      : ["It is not known that a cordon is raised: new work may start."]
  const done = [...cordon, ...up]
  return {
    title: "Interim measure",
    blocks: [
      ...(done.length === 0 ? [] : [list(done)]),
      people(
        "interim",
        "the incident commander: what was done so that things go on for now, and until when that holds.",
      ),
    ],
  }
}

/** The eight mandatory fields, each with what is known and the place for what only people can know. */
export const fields = (given: PostMortem): ReadonlyArray<Section> => [
  summary(given),
  impact(given),
  detection(given),
  hypothesis(given),
  history(given),
  interim(given),
  {
    title: "Permanent measure",
    blocks: [
      people("permanent", "the owner of the system: what is changed so that this cause is gone, by whom, until when."),
    ],
  },
  {
    title: "Prevention",
    blocks: [
      people(
        "prevention",
        "the team: what would have kept it from happening or shown it earlier, by whom, until when.",
      ),
    ],
  },
]

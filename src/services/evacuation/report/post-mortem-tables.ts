import { formatSize } from "../../../domain/quantity.ts"
import type { NotTaken } from "../../../domain/collected.ts"
import * as IncidentRecord from "./incident-record.ts"
import type { PostMortem } from "./post-mortem.ts"
import { stopped } from "./post-mortem-stopped.ts"
import { plural } from "./post-mortem-words.ts"
import * as Promises from "./promises.ts"
import { type Block, type Cell, type Section, atMost, text } from "./record-document.ts"

/** Most rows that are shown of one group or table. */
const most = 100

const tones = { ok: "good", skipped: "plain", failed: "bad" } as const

const took = ({ collected, inventory, manifests, pushed }: IncidentRecord.IncidentRecord): Section => ({
  title: "What was taken",
  blocks: [
    text(
      `${plural(inventory.length, "file was", "files were")} found to be taken (${formatSize(inventory.reduce((sum, { bytes }) => sum + bytes, 0))}); ${plural(new Set(pushed.map(({ path, to }) => `${to}/${path}`)).size, "object is", "objects are")} confirmed by a destination.`,
    ),
    collected.length === 0
      ? text("No collector has said how it ended.")
      : {
          kind: "table",
          heads: ["Collector", "Bundle", "Ended", "Files", "Size", "Why, or where"],
          rows: collected.map(({ bytes, collector, files, outcome, path, reason, to, truncated }) => [
            collector,
            to,
            { badge: outcome, tone: tones[outcome] },
            files,
            { whole: formatSize(bytes) },
            [
              ...(truncated === true ? ["cut at its limit of bytes; "] : []),
              ...(reason === undefined ? [] : [`${reason} `]),
              ...(path === undefined ? [] : [{ code: path }]),
            ],
          ]),
        },
    ...(manifests.length === 0
      ? [text("No manifest of a bundle can be read.")]
      : [
          {
            kind: "table" as const,
            heads: ["Bundle", "Root hash", "Seen", "Taken", "Not taken", "Unstable"],
            rows: manifests.map(({ bundle, coverage, root }): ReadonlyArray<Cell> => [
              bundle,
              { code: root },
              coverage.seen,
              coverage.taken,
              coverage.notTaken,
              coverage.unstable,
            ]),
          },
        ]),
  ],
})

/** What was seen and is not confirmed, by reason: the most first. */
const reasons = ({ inventory, notTaken, pushed }: IncidentRecord.IncidentRecord, rung: string | undefined) => {
  const confirmed = new Set<string>()
  for (const line of pushed) if (rung === undefined || line.rung === rung) confirmed.add(`${line.to}/${line.path}`)
  const gone = new Set<string>()
  const open: Array<NotTaken> = []
  const listed = new Set(notTaken.map(IncidentRecord.keyOf))
  for (const file of inventory) {
    const key = IncidentRecord.keyOf(file)
    if (confirmed.has(`${file.to}/${file.path}`)) gone.add(key)
    else if (!listed.has(key)) {
      const { bytes, collector, source } = file
      open.push({ collector, source, bytes, reason: "not confirmed by the destination yet" })
    }
  }
  // What went away after all is listed from an earlier call.
  const left = notTaken.filter((line) => !gone.has(IncidentRecord.keyOf(line)))
  const groups = Map.groupBy([...left, ...open], ({ reason }) => reason)
  return [...groups].toSorted(([, a], [, b]) => b.length - a.length)
}

const group = ([reason, lines]: readonly [string, ReadonlyArray<NotTaken>], open: boolean): Block => {
  const file = reason.startsWith("not confirmed") ? "inventory.ndjson" : "not-taken.ndjson"
  const { more, shown } = atMost(lines, most, file)
  const bytes = lines.reduce((sum, line) => sum + (line.bytes ?? 0), 0)
  return {
    kind: "group",
    title: `${reason}: ${plural(lines.length, "file", "files")}${bytes > 0 ? `, ${formatSize(bytes)}` : ""}`,
    open,
    blocks: [
      {
        kind: "table",
        heads: ["Collector", "Size", "Source"],
        rows: shown.map(({ bytes: size, collector, source }) => [
          collector,
          { whole: size === undefined ? "" : formatSize(size) },
          { code: source },
        ]),
        more,
      },
    ],
  }
}

const left = ({ outcome, record }: PostMortem): Section => {
  const groups = reasons(record, outcome.push?.rung)
  const shown = groups.slice(0, most)
  return {
    title: "What was not taken, and why",
    blocks: [
      ...(groups.length === 0 ? [text("Nothing that was seen is known to be missing.")] : []),
      ...shown.map((each) => group(each, groups.length <= 3 && each[1].length <= 20)),
      ...(groups.length > shown.length
        ? [
            text(`and ${groups.length - shown.length} more reasons; the whole list is in `, {
              code: "not-taken.ndjson",
            }),
          ]
        : []),
    ],
  }
}

const redactions = ({ collected, pushed }: IncidentRecord.IncidentRecord): Section => {
  const all = [
    ...collected.map(({ collector, path, redactions: found = [] }) => ({ file: path ?? collector, found })),
    ...new Map(pushed.map(({ path, redactions: found = [] }) => [path, { file: path, found }])).values(),
  ].flatMap(({ file, found }) =>
    found.filter(({ count }) => count > 0).map(({ count, rule }): ReadonlyArray<Cell> => [rule, { code: file }, count]),
  )
  const { more, shown } = atMost(all, most, "collected.ndjson and pushed.ndjson")
  return {
    title: "Redacted",
    blocks: [
      all.length === 0
        ? text("No redaction rule has replaced anything.")
        : { kind: "table", heads: ["Rule", "File", "Replaced"], rows: shown, more },
    ],
  }
}

const destinations = ({ outcome, record }: PostMortem): Section => {
  const { push } = outcome
  const refusals = (push?.refusals ?? []).map(({ reason, refused, rung }): ReadonlyArray<Cell> => [
    rung,
    refused ? { badge: "refused", tone: "bad" } : { badge: "failed", tone: "warn" },
    reason,
  ])
  const chosen: ReadonlyArray<ReadonlyArray<Cell>> =
    push === undefined
      ? []
      : [
          [
            push.rung,
            push.complete ? { badge: "complete", tone: "good" } : { badge: "partial", tone: "warn" },
            [{ code: push.location }, push.away ? "" : " on this machine"],
          ],
        ]
  const rungs = new Set([...(push === undefined ? [] : [push.rung]), ...(push?.refusals ?? []).map(({ rung }) => rung)])
  const others = [...Map.groupBy(record.pushed, ({ rung }) => rung)]
    .filter(([rung]) => !rungs.has(rung))
    .map(([rung, lines]): ReadonlyArray<Cell> => [
      rung,
      { badge: "earlier", tone: "plain" },
      `${plural(lines.length, "object", "objects")} by an earlier call`,
    ])
  const rows = [...refusals, ...chosen, ...others]
  return {
    title: "Destinations tried",
    blocks: [
      rows.length === 0
        ? text("It is not known which destinations were tried.")
        : { kind: "table", heads: ["Destination", "State", "What"], rows },
    ],
  }
}

const promises = (kept: PostMortem["promises"]): ReadonlyArray<Section> =>
  kept.length === 0
    ? []
    : [
        {
          title: "Promises of the drill",
          blocks: [
            {
              kind: "table",
              heads: ["Promise", "Promised", "Observed", "Kept"],
              rows: kept.map(({ kept: isKept, name, observed, promised }) => [
                name.replaceAll("_", " "),
                `${name === "coverage" ? "at least" : "at most"} ${Promises.text(name, promised)}`,
                Promises.text(name, observed),
                isKept ? { badge: "kept", tone: "good" } : { badge: "missed", tone: "bad" },
              ]),
            },
          ],
        },
      ]

const unread = ({ outcome, record, told }: PostMortem): Section => {
  // Nothing is listed there where everything was taken.
  const isFine = (name: string) => name === "not-taken.ndjson" && outcome.push !== undefined
  const bad = record.inputs.filter(({ name, state }) => state !== "read" && !(state === "missing" && isFine(name)))
  const items = [
    ...bad.map(({ detail, name, state }) => [
      { code: name },
      ` is ${state}${detail === undefined ? "" : `: ${detail}`}`,
    ]),
    ...told.problems.map((problem) => [`ledger: ${problem}`]),
  ]
  return {
    title: "What this record could not read",
    blocks: [items.length === 0 ? text("Everything that it is made from was there.") : { kind: "list", items }],
  }
}

/** The tables after the fields: what was taken, what was not, what was stopped, redacted and tried, what is not known. */
export const tables = (given: PostMortem): ReadonlyArray<Section> => [
  took(given.record),
  left(given),
  stopped(given.record, given.outcome.startedAgain),
  redactions(given.record),
  destinations(given),
  ...promises(given.promises),
  unread(given),
]

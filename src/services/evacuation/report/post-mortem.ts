import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Outcome from "../../../domain/evacuation-outcome.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import type { IncidentRecord } from "./incident-record.ts"
import type { Told } from "./ledger-timeline.ts"
import * as PeopleText from "./people-text.ts"
import * as Fields from "./post-mortem-fields.ts"
import * as Tables from "./post-mortem-tables.ts"
import { localTime } from "./post-mortem-words.ts"
import type { Promised } from "./promises.ts"
import { type RecordDocument, type Section, text } from "./record-document.ts"
import * as RecordMarkdown from "./record-markdown.ts"
import * as RecordPage from "./record-page.ts"

/** What a post-mortem record is made from. `zone` is the local time zone, `now` when it is written. */
export interface PostMortem {
  readonly record: IncidentRecord
  readonly outcome: Outcome.EvacuationOutcome
  readonly told: Told
  readonly promises: ReadonlyArray<Promised>
  readonly zone: string
  readonly now: number
}

/** The record in both forms. */
export interface Written {
  readonly markdown: string
  readonly html: string
  /** The name of the earlier record that people had changed outside of their fields, and that was kept beside. */
  readonly keptAs?: string
}

const badge = (outcome: Outcome.EvacuationOutcome): RecordDocument["badge"] => {
  if (Outcome.lacksBeforeReport(outcome).length === 0) return { badge: "COMPLETE", tone: "good" }
  const standing = Outcome.standingOf(outcome)
  if (standing === "partial") return { badge: "PARTIAL", tone: "warn" }
  const words = {
    complete: "COMPLETE",
    refused: "DESTINATION REFUSED",
    "not-away": "NOT AWAY",
    failed: "FAILED",
  } as const
  return { badge: words[standing], tone: "bad" }
}

const aboutKept = (names: ReadonlyArray<string>): ReadonlyArray<Section> =>
  names.length === 0
    ? []
    : [
        {
          title: "Earlier versions",
          blocks: [
            text("People had changed the record outside of their fields. It was kept as it was, in the same folder:"),
            { kind: "list", items: names.map((name) => [{ code: name }]) },
          ],
        },
      ]

const documentOf = (given: PostMortem, versions: ReadonlyArray<string>): RecordDocument => {
  const { incident } = given.record.folder
  return {
    title: `${incident.drill ? "Drill" : "Incident"} ${incident.id}: post-mortem record`,
    badge: badge(given.outcome),
    about: [
      `written ${localTime(given.now, given.zone)}; people write into `,
      { code: "report.md" },
      ", between the lines that name a field. To renew what is generated: ",
      { code: `dandori evacuate --incident ${incident.id}` },
    ],
    sections: [...Fields.fields(given), ...Tables.tables(given), ...aboutKept(versions)],
  }
}

/** The record, over an earlier one of which people's text stays; `versions` are names of others that were kept before. */
export const compose = (
  given: PostMortem,
  earlier: string | undefined,
  versions: ReadonlyArray<string> = [],
): Written => {
  const found = earlier === undefined ? undefined : PeopleText.read(earlier)
  const keptAs =
    earlier === undefined || found?.intact === true ? undefined : `report-${Sha256.of(earlier).slice(0, 12)}.md`
  const kept = found?.kept ?? new Map<string, string>()
  const document = documentOf(given, [...new Set([...versions, ...(keptAs === undefined ? [] : [keptAs])])])
  return {
    markdown: RecordMarkdown.render(document, kept),
    html: RecordPage.render(document, kept),
    ...(keptAs === undefined ? {} : { keptAs }),
  }
}

const read = (path: string) =>
  Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed(undefined),
    ),
  )

const keptVersions = (path: string) =>
  Durable.attempt("list", path, () => Fs.readdir(path)).pipe(
    Effect.map((names) => names.filter((name) => /^report-[0-9a-f]{12}\.md$/.test(name)).toSorted()),
    Effect.orElseSucceed((): ReadonlyArray<string> => []),
  )

/**
 * The record of an incident's folder, over the `report.md` that lies there: people's text in it stays, and one that was
 * changed elsewhere is kept whole beside it first.
 */
export const make = Effect.fn("PostMortem.make")(function* (given: PostMortem) {
  const { path } = given.record.folder
  const earlier = yield* read(join(path, "report.md"))
  const written = compose(given, earlier, yield* keptVersions(path))
  if (written.keptAs !== undefined && earlier !== undefined) {
    yield* Durable.writeFileDurably(join(path, written.keptAs), earlier)
  }
  return written
})

/** Writes `report.md` and `report.html` into the incident's folder. Durable on return. */
export const write = Effect.fn("PostMortem.write")(function* (path: string, { html, markdown }: Written) {
  yield* Durable.writeFileDurably(join(path, "report.md"), markdown)
  yield* Durable.writeFileDurably(join(path, "report.html"), html)
})

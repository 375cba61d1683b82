import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { formatDuration, formatSize } from "../../src/domain/quantity.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as Html from "../../src/services/html-page.ts"
import type { RestoreOutput } from "./schema.ts"

type About = Omit<RestoreOutput, "gate">

const seconds = (value: number) => formatDuration(Math.round(value * 1_000))

const page = (about: About): string => {
  const head = `<p>${Html.badge(about.verdict, about.verdict === "PASSED" ? "good" : "bad")}
    <span class="soft">snapshot <code>${Html.escape(about.snapshot)}</code> of ${Html.escape(about.location)}</span></p>`
  const facts = [
    ["RPO: written after the snapshot and gone", seconds(about.rpoSeconds)],
    ["RTO: from the run's creation to the proof", seconds(about.rtoSeconds)],
    ["Consistency point", `${about.taken}, ledger entry ${about.head.entries}`],
    ["Registry's transaction", about.transaction ?? "not in PostgreSQL"],
    ["Digest of all files", about.digest],
    ["Ledger", about.ledger === undefined ? "not in it" : `${about.ledger.entries} entries verified`],
    ["Write-once records", about.records === undefined ? "not in it" : `${about.records} records verified`],
  ]
  const proved = new Map(about.databases.map((one) => [one.name, `${one.count} ${one.unit}`]))
  return Html.page("Recovery", head, [
    Html.section("Measured", Html.table(["What", "Value"], facts)),
    Html.section(
      "Asked",
      Html.table(
        ["Check", "Verdict", "Observed", "At most"],
        about.checks.map(({ name, observed, passed, threshold }) => [
          name,
          { html: Html.badge(passed ? "passed" : "failed", passed ? "good" : "bad") },
          observed,
          threshold,
        ]),
      ),
    ),
    Html.section(
      "Restored and equal",
      Html.table(
        ["Target", "Kind", "Files", "Size", "As a database"],
        about.targets.map(({ bytes, kind, name, objects }) => [
          name,
          kind,
          objects,
          formatSize(bytes),
          proved.get(kind) ?? "",
        ]),
      ),
    ),
    Html.section(
      "Left out",
      Html.table(
        ["Target", "Why"],
        about.left.map(({ kind, reason }) => [kind, reason]),
      ),
    ),
  ])
}

/** Stores what was measured and proved, for machines and for people. */
export const store = (about: About) =>
  Effect.flatMap(Artifacts, (artifacts) =>
    Effect.all([
      artifacts.put("recovery.json", "application/json", `${CanonicalJson.encode(about)}\n`),
      artifacts.put("recovery.html", "text/html", page(about)),
    ]),
  )

import * as HtmlPage from "../../src/services/html-page.ts"
import type { Judgement } from "./judge.ts"
import type { CheckResult } from "./schema.ts"

/** What the page says beside the judgement. */
export interface About {
  readonly expectations: string
  readonly source: string
  readonly synthetic: boolean
  readonly rows: number
  readonly policy: string
  readonly subjects: ReadonlyArray<{ readonly name: string; readonly sha256: string }>
  /** `<img>` elements. */
  readonly charts: ReadonlyArray<string>
}

const tones = { PASSED: "good", WARNED: "warn", FAILED: "bad" } as const
const percent = (share: number) => `${(share * 100).toFixed(2)} %`

const state = (check: CheckResult) =>
  check.passed
    ? HtmlPage.badge("passed", "good")
    : HtmlPage.badge(check.severity === "warn" ? "warns" : "fails", check.severity === "warn" ? "warn" : "bad")

const samples = (check: CheckResult) => {
  const rows = check.sample.map((row) => [
    row.file,
    row.row === 0 ? "" : String(row.row),
    row.symbol ?? "",
    { html: `<span class="nowrap">${HtmlPage.escape(row.timestamp ?? "")}</span>` },
    row.detail,
  ])
  const shown = check.failing > check.sample.length ? `, the first ${check.sample.length}` : ""
  const count = check.failing === 0 ? "" : `: ${check.failing} rows${shown}`
  return `<details${!check.passed && check.severity === "error" ? " open" : ""}><summary>${HtmlPage.escape(check.name)}${count}</summary>${HtmlPage.table(["file", "row", "symbol", "timestamp", "what"], rows)}</details>`
}

/** The report as a self-contained page. */
export const reportPage = ({ findings, flags, verdict }: Judgement, about: About): string => {
  const checks = findings.map(({ result }) => result)
  const failed = checks.filter((check) => !check.passed).length
  const head = [
    `<p>${HtmlPage.badge(verdict, tones[verdict])} <span class="soft">${about.rows} rows, ${checks.length} checks, ${failed} not passed; source ${HtmlPage.escape(about.source)}</span></p>`,
    about.synthetic ? '<p class="notice">Synthetic data: these bars were generated, not traded.</p>' : "",
  ].join("\n")
  const order = (check: CheckResult) => (check.passed ? 2 : check.severity === "error" ? 0 : 1)
  const sorted = checks.toSorted((x, y) => order(x) - order(y))
  const rows = sorted.map((check) => [
    { html: state(check) },
    check.name,
    check.observed,
    check.threshold,
    check.failing,
  ])
  const failing = sorted.filter((check) => check.sample.length > 0)
  const marked = flags.map((each) => [
    each.file,
    each.rows,
    percent(each.missing),
    percent(each.outlier),
    percent(each.spike),
    each.flags.join(", "),
  ])
  const bytes = about.subjects.map(({ name, sha256 }) => [name, { html: `<code>${HtmlPage.escape(sha256)}</code>` }])
  return HtmlPage.page(`Data quality: ${about.expectations}`, head, [
    HtmlPage.section("Checks", HtmlPage.table(["", "check", "observed", "threshold", "failing rows"], rows)),
    about.charts.length === 0
      ? ""
      : HtmlPage.section("Distributions", `<div class="charts">${about.charts.join("\n")}</div>`),
    failing.length === 0 ? "" : HtmlPage.section("Failing rows", failing.map(samples).join("\n")),
    HtmlPage.section("Files", HtmlPage.table(["file", "rows", "missing", "outlier", "spike", "flags"], marked)),
    HtmlPage.section(
      "Judged bytes",
      `${HtmlPage.table(["file", "SHA-256"], bytes)}<p class="soft">Policy <code>${HtmlPage.escape(about.policy)}</code></p>`,
    ),
  ])
}

import * as Effect from "effect/Effect"
import { formatSize } from "../domain/quantity.ts"
import * as BundleCheck from "../services/evacuation/bundle/bundle-check.ts"
import * as Places from "./evacuate-places.ts"
import { exitCodes } from "./exit-code.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import { root } from "./root.ts"

type Verdict = BundleCheck.BundleReport["verdict"]

/** From the best to the worst. */
const verdicts: ReadonlyArray<readonly [Verdict, code: number, word: string]> = [
  ["whole", exitCodes.ok, "whole"],
  ["partial", exitCodes.partial, "whole, but NOT COMPLETE"],
  ["missing", exitCodes.truncated, "INCOMPLETE"],
  ["altered", exitCodes.altered, "ALTERED"],
  ["signature", exitCodes.signature, "WRONG SIGNATURE"],
]
const rankOf = (verdict: Verdict) => verdicts.findIndex(([name]) => name === verdict)

/** Most lines of problems for people; `--json` has no limit. */
const shownLines = 50

const keyLine = ({ keyid, pinned }: BundleCheck.BundleReport, source: Places.KeySource): string => {
  const short = keyid === undefined ? "no key" : keyid
  return pinned
    ? `key       ${short}, pinned by ${source}`
    : `key       ${short}, UNPINNED: it comes from ${source}; give one that was kept elsewhere with --key`
}

const missingLine = ({ manifest }: BundleCheck.BundleReport): ReadonlyArray<string> => {
  if (manifest === undefined) return []
  const { collectors, notTaken, seen, taken } = manifest.coverage
  const failed = collectors.failed === 0 ? "" : `, ${count(collectors.failed, "collector", "collectors")} failed`
  return [`coverage  ${taken} of ${seen} taken, ${notTaken} not taken${failed}`]
}

const lines = (report: BundleCheck.BundleReport, source: Places.KeySource, colour: boolean): ReadonlyArray<string> => {
  const { bytes, files, location, manifest, problems } = report
  const rank = rankOf(report.verdict)
  const paint = rank === 0 ? Output.green : rank === 1 ? Output.yellow : Output.red
  const what = manifest === undefined ? "bundle" : `${manifest.bundle} of ${manifest.incident}`
  const rows = problems.slice(0, shownLines).map(({ detail, kind, path }) => [kind, path, detail])
  const more = problems.length - shownLines
  return [
    `${paint(verdicts[rank]?.[2] ?? "", colour)}  ${plain(what)}  ${plain(location)}  ${count(files, "file", "files")}, ${formatSize(bytes)}`,
    ...table(rows).map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${count(more, "more problem", "more problems")}; --json names all`] : []),
    `root      ${report.root ?? "none"}`,
    keyLine(report, source),
    ...missingLine(report),
  ]
}

const shown = ({ manifest, ...report }: BundleCheck.BundleReport) => ({
  ...report,
  incident: manifest?.incident ?? null,
  bundle: manifest?.bundle ?? null,
  coverage: manifest?.coverage ?? null,
  of: manifest?.of ?? null,
})

/** Reads the bundles that `where` stands for and says what is wrong with them; ends with the worst verdict's exit code. */
export const verifyBundles = Effect.fnUntraced(function* (
  where: string,
  options: { readonly incident: string | undefined; readonly key: string | undefined },
) {
  const { json, quiet } = yield* root
  const { keys, source } = yield* Places.keysOf(options.key)
  const found = yield* Places.find(where, options.incident)
  const reports = yield* Effect.forEach(found, ({ place, root: digest }) =>
    BundleCheck.check(place, { keys, ...(digest === undefined ? {} : { root: digest }) }),
  )
  const worst = Math.max(...reports.map(({ verdict }) => rankOf(verdict)))
  const [verdict, code] = verdicts[worst] ?? ["altered", exitCodes.altered]
  if (json) {
    yield* Output.json({ v: 1, kind: "evacuate-verify", verdict, keySource: source, bundles: reports.map(shown) })
  } else if (!quiet || worst > 0) {
    const colour = Output.colours(process.stdout)
    yield* Output.data(reports.flatMap((report) => lines(report, source, colour)).join("\n"))
  }
  yield* Output.exitWith(code)
}, Effect.scoped)

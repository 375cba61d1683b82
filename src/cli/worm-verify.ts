import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SettingsFiles from "../services/settings-files.ts"
import { verifyWorm, type WormHead, type WormProblem, type WormReport } from "../services/worm-chain.ts"
import { exitCodes } from "./exit-code.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"
import * as SealedRecords from "./sealed-records.ts"

const place = Effect.fnUntraced(function* (given: string | undefined) {
  if (given !== undefined) {
    const found = Option.getOrUndefined(yield* Readers.findOptional)
    return { folder: resolve(process.cwd(), given), found }
  }
  const found = yield* Readers.find
  const { sections } = yield* SettingsFiles.load(found.project, found.env)
  return { folder: resolve(found.project, sections.storage.worm_root), found }
})

const nothing: ReadonlyArray<WormHead> = []

/** Of a folder that is gone, every record that the ledger knows is missing. */
const gone = (sealed: ReadonlyArray<WormHead>): WormReport => ({
  chains: [],
  problems: sealed.map(({ recordType, sequence }) => ({
    kind: "deleted",
    recordType,
    sequence,
    path: recordType,
    detail: "the ledger testifies to this record, but the whole folder is gone",
  })),
})

const codeOf = (problems: ReadonlyArray<WormProblem>): number => {
  if (problems.some(({ kind }) => kind !== "deleted" && kind !== "truncated")) return exitCodes.altered
  return problems.length > 0 ? exitCodes.truncated : exitCodes.ok
}

const problemRow = ({ kind, sequence, path, detail }: WormProblem): ReadonlyArray<string> => [
  kind,
  sequence === undefined ? "" : `record ${sequence}`,
  path,
  detail,
]

const lines = (report: WormReport, folder: string, colour: boolean): ReadonlyArray<string> => {
  const records = report.chains.reduce((sum, chain) => sum + chain.records, 0)
  const size = `${count(records, "record", "records")} in ${count(report.chains.length, "chain", "chains")}`
  const number = report.problems.length
  const verdict =
    number === 0 ? Output.green("intact", colour) : Output.red(count(number, "problem", "problems"), colour)
  return [
    `${verdict}  ${plain(folder)}  ${size}`,
    ...table(report.problems.map(problemRow)).map((line) => `  ${line}`),
    ...table(
      report.chains.map(({ recordType, records, head, covered }) => [
        recordType,
        count(records, "record", "records"),
        head === undefined ? "" : head.sha256.slice(0, 16),
        covered ? "its end is in the ledger" : "NOT COVERED: no ledger here testifies to its end",
      ]),
    ),
  ]
}

/** Verifies the write-once records of a folder, with what the project's ledger testifies to, and names each problem. */
export const verifyRecords = Effect.fnUntraced(function* (given: string | undefined) {
  const { json, quiet } = yield* root
  const { folder, found } = yield* place(given)
  const sealed =
    found === undefined
      ? nothing
      : yield* SealedRecords.under(folder, found.project).pipe(Effect.provide(Readers.ledger(found)))
  const none = new Missing({
    what: `There are no write-once records at ${folder}`,
    next: "Name their folder, or append one first (task type worm-append)",
  })
  const report = yield* verifyWorm(folder, sealed).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(gone(sealed)),
    ),
  )
  if (report.chains.length === 0 && report.problems.length === 0) return yield* none
  const colour = Output.colours(process.stdout)
  if (json) yield* Output.json({ v: 1, kind: "worm-verify", root: folder, ...report })
  else if (!quiet) yield* Output.data(lines(report, folder, colour).join("\n"))
  else if (report.problems.length > 0) yield* Output.data(table(report.problems.map(problemRow)).join("\n"))
  yield* Output.exitWith(codeOf(report.problems))
})

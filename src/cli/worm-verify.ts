import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SettingsFiles from "../services/settings-files.ts"
import { verifyWorm, type WormHead, type WormProblem, type WormReport } from "../services/worm-chain.ts"
import { ObjectStore } from "../services/object-store.ts"
import { exitCodes } from "./exit-code.ts"
import { Missing } from "./missing.ts"
import * as ObjectStores from "./object-stores.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"
import * as SealedRecords from "./sealed-records.ts"

/** What is verified: a folder, or a bucket below `s3://bucket/prefix`. */
const isBucket = (location: string) => location.startsWith("s3:")

/** The places to verify, and the project whose ledger testifies to them. */
const placesOf = Effect.fnUntraced(function* (given: string | undefined) {
  if (given !== undefined) {
    const found = Option.getOrUndefined(yield* Readers.findOptional)
    return { locations: [isBucket(given) ? given.replace(/\/$/, "") : resolve(process.cwd(), given)], found }
  }
  const found = yield* Readers.find
  const { storage } = (yield* SettingsFiles.load(found.project, found.env)).sections
  const bucket = storage.offsite?.worm_location.replace(/\/$/, "") ?? ""
  const folder = resolve(found.project, storage.worm_root)
  return { locations: isBucket(bucket) ? [folder, bucket] : [folder], found }
})

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

/** What is known of the end of a chain. */
const endOf = ({ problems }: WormReport, { covered, head, recordType }: WormReport["chains"][number]): string => {
  const altered = problems.some((each) => each.recordType === recordType && each.sequence === head?.sequence)
  if (altered) return "NOT INTACT: its end is not what was written"
  return covered ? "its end is in the ledger" : "NOT COVERED: no ledger here testifies to its end"
}

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
      report.chains.map((chain) => [
        chain.recordType,
        count(chain.records, "record", "records"),
        chain.head === undefined ? "" : chain.head.sha256.slice(0, 16),
        endOf(report, chain),
      ]),
    ),
  ]
}

const verifyFolder = (folder: string, sealed: ReadonlyArray<WormHead>) =>
  verifyWorm(folder, sealed).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(gone(sealed)),
    ),
  )

const verifyBucket = Effect.fnUntraced(function* (location: string, sealed: ReadonlyArray<WormHead>) {
  const { verifyBucket: verify } = yield* Effect.promise(() => import("../services/worm-bucket-chain.ts"))
  return yield* verify(yield* (yield* ObjectStore).open(location), sealed)
}, Effect.provide(ObjectStores.layer))

/**
 * Verifies the write-once records of a folder or a bucket, or of all places that the project has for them, with what its
 * ledger testifies to, and names each problem.
 */
export const verifyRecords = Effect.fnUntraced(function* (given: string | undefined) {
  const { json, quiet } = yield* root
  const { found, locations } = yield* placesOf(given)
  const sealed =
    found === undefined
      ? new Map<string, ReadonlyArray<WormHead>>()
      : yield* SealedRecords.under(locations, found.project).pipe(Effect.provide(Readers.ledger(found)))
  const looked = yield* Effect.forEach(locations, (location) =>
    Effect.gen(function* () {
      const heads = sealed.get(location) ?? []
      const report = yield* isBucket(location) ? verifyBucket(location, heads) : verifyFolder(location, heads)
      return { location, report }
    }),
  )
  const reports = looked.filter(({ report }) => report.chains.length > 0 || report.problems.length > 0)
  if (reports.length === 0) {
    return yield* new Missing({
      what: `There are no write-once records at ${locations.join(" or ")}`,
      next: "Name their folder or bucket, or append one first (task type worm-append)",
    })
  }
  const colour = Output.colours(process.stdout)
  for (const { location, report } of reports) {
    if (json) yield* Output.json({ v: 1, kind: "worm-verify", root: location, ...report })
    else if (!quiet) yield* Output.data(lines(report, location, colour).join("\n"))
    else if (report.problems.length > 0) yield* Output.data(table(report.problems.map(problemRow)).join("\n"))
  }
  yield* Output.exitWith(codeOf(reports.flatMap(({ report }) => report.problems)))
})

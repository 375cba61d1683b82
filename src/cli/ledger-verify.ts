import { join, relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { formatSize } from "../domain/quantity.ts"
import * as Trust from "../ledger/trust.ts"
import { verify } from "../ledger/verify.ts"
import { verifyCopy } from "../ledger/verify-copy.ts"
import type { LedgerFault, VerifyReport } from "../ledger/verify-report.ts"
import { exitCodes } from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as InputFile from "./input-file.ts"
import * as LedgerPlace from "./ledger-place.ts"
import { Missing } from "./missing.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import * as PurgedRuns from "./purged-runs.ts"
import type { RegistryEvidence } from "./registry-evidence.ts"
import { root } from "./root.ts"

/** What to verify, and the files that were kept elsewhere. Paths are from the working folder. */
interface Options {
  readonly path: string | undefined
  readonly key: string | undefined
  readonly checkpoint: string | undefined
  /** Whether the registry's rows and the ledger's entries are compared too. */
  readonly registry: boolean
}

/** Where the keys came from, for people. */
type KeySource = "--key" | "configs/base/trust.yaml" | "the ledger itself"

const verdicts: Readonly<Record<VerifyReport["verdict"], string>> = {
  intact: "intact",
  altered: "ALTERED",
  missing: "INCOMPLETE",
  signature: "WRONG SIGNATURE",
  busy: "busy",
}

const faultRow = ({ stream, line, offset, kind, reason }: LedgerFault): ReadonlyArray<string> => [
  kind,
  stream,
  `line ${line}`,
  `byte ${offset}`,
  reason.replace(new RegExp(`^line ${line} `), ""),
]

const short = (keyid: string) => keyid.slice(0, 16)

const keyLine = ({ key, checkpoint }: VerifyReport, source: KeySource, hint: Hint.Hint): string => {
  if (checkpoint === undefined) {
    return key.pinned
      ? `no checkpoint holds; pinned keys from ${source}`
      : `no checkpoint: nothing is signed yet; make one with \`${hint.files("ledger checkpoint")}\` and keep it elsewhere`
  }
  const signed = `the first ${count(checkpoint.size, "entry", "entries")} of root, signed by ${short(checkpoint.keyid)}`
  return key.pinned
    ? `${signed}, pinned by ${source}`
    : `${signed}, UNPINNED: the key comes from ${source}; give one kept elsewhere with --key`
}

/** Most lines of one kind; `--json` has no limit. */
const shownLines = 20

const lines = (
  report: VerifyReport,
  target: string,
  source: KeySource,
  hint: Hint.Hint,
  colour: boolean,
): ReadonlyArray<string> => {
  const paint = report.verdict === "intact" ? Output.green : report.verdict === "busy" ? Output.yellow : Output.red
  const { checkpoint, root, notYet } = report.coverage
  const size = `${count(report.entries, "entry", "entries")} in ${count(report.streams, "stream", "streams")}, ${formatSize(report.bytes)}`
  const out = [`${paint(verdicts[report.verdict], colour)}  ${plain(target)}  ${size}`]
  out.push(...table(report.faults.map(faultRow)).map((line) => `  ${line}`))
  out.push(`checkpoint   ${keyLine(report, source, hint)}`)
  out.push(`evidence     ${checkpoint} covered by the checkpoint, ${root} by the root alone, ${notYet} not covered yet`)
  for (const stream of report.open) out.push(`open         ${plain(stream)} has not finished`)
  for (const { stream, line, reason } of report.uncovered.slice(0, shownLines)) {
    out.push(`not covered  ${plain(stream)} from line ${line}: ${plain(reason)}`)
  }
  for (const { stream, line } of report.recovered.slice(0, shownLines)) {
    out.push(`recovered    ${plain(stream)}: line ${line} of root was added by a later start, when it was missing`)
  }
  if (report.recovered.length > shownLines) {
    out.push(
      `recovered    and ${count(report.recovered.length - shownLines, "more entry", "more entries")}; --json names all`,
    )
  }
  if (report.purged.length > 0) {
    out.push(
      `purged       ${count(report.purged.length, "run", "runs")}, each testified to by root; nothing of it is missing`,
    )
  }
  for (const purged of report.purged.slice(-shownLines)) {
    const still = purged.there ? "; its stream is still there, and goes with the next purge" : ""
    out.push(
      `purged       ${purged.stream} at ${purged.time} by ${plain(purged.who)}: ${PurgedRuns.why(purged)}${still}`,
    )
  }
  for (const { path, reason } of report.strays)
    out.push(`stray        ${plain(path)} is not part of the ledger: ${plain(reason)}`)
  const more = report.uncovered.length - shownLines
  if (more > 0) out.push(`not covered  and ${count(more, "more stream", "more streams")}; --json names all`)
  return out
}

/** The public keys to verify with: `--key`, else what the project at the working folder trusts. */
const keysOf = Effect.fnUntraced(function* (key: string | undefined, project: string | undefined) {
  if (key !== undefined) return { key: yield* InputFile.read("--key", key), source: "--key" as const }
  const trusted = project === undefined ? [] : yield* Trust.read(join(project, "configs"))
  const source: KeySource = trusted.length > 0 ? "configs/base/trust.yaml" : "the ledger itself"
  return { trusted, source }
})

/** What the registry and the ledger say of each other, where that was asked for. */
const compareRegistry = Effect.fnUntraced(function* (asked: boolean, place: LedgerPlace.Place | undefined) {
  if (!asked) return undefined
  if (place === undefined) {
    return yield* new Missing({
      what: "There is no project here whose registry could be compared",
      next: "Run it in a project, without a path",
    })
  }
  const nothing: RegistryEvidence = { rows: 0, entries: 0, disagreements: [] }
  if (!(yield* Readers.hasRegistry(place))) return nothing
  const { compare } = yield* Effect.promise(() => import("./registry-evidence.ts"))
  return yield* compare.pipe(Effect.provide(Layer.mergeAll(Readers.registry(place), Readers.ledger(place))))
})

const registryLines = ({ disagreements, entries, rows }: RegistryEvidence, colour: boolean): ReadonlyArray<string> => {
  const said = `${count(rows, "row", "rows")} of the registry, ${count(entries, "publication", "publications")} in the ledger`
  if (disagreements.length === 0) return [`registry     ${said}: each bears out the other`]
  const shown = disagreements.slice(0, shownLines).map(({ at, problem }) => `  ${plain(`${at}: ${problem}`)}`)
  const more = disagreements.length - shown.length
  return [
    `registry     ${Output.red("DISAGREES", colour)} with the ledger: ${said}`,
    ...shown,
    ...(more > 0 ? [`  and ${more} more; --json names all`] : []),
  ]
}

/** The exit code of ledger and registry together: that of the ledger, where something is wrong with it. */
const codeOf = (report: VerifyReport, evidence: RegistryEvidence | undefined): number => {
  if (report.exitCode !== 0 || evidence === undefined || evidence.disagreements.length === 0) return report.exitCode
  return evidence.disagreements.some(({ kind }) => kind === "altered") ? exitCodes.altered : exitCodes.truncated
}

/** Verifies a ledger, says how far its evidence goes, and ends with the verdict's exit code. */
export const verifyLedger = Effect.fnUntraced(function* ({ path, key, checkpoint, registry }: Options) {
  const { json, quiet } = yield* root
  const place = yield* path === undefined ? Effect.asSome(Readers.find) : Readers.findOptional
  const project = Option.getOrUndefined(place)
  const target = path === undefined && project !== undefined ? project.home : resolve(process.cwd(), path ?? ".")
  const { source, ...keys } = yield* keysOf(key, project?.project)
  const text = checkpoint === undefined ? undefined : yield* InputFile.read("--checkpoint", checkpoint)
  const options = { ...keys, ...(text === undefined ? {} : { checkpoint: text }) }
  const own = path === undefined ? project : undefined
  const inDatabase = own !== undefined && (yield* LedgerPlace.database(own)) !== undefined
  const report = inDatabase
    ? yield* verifyCopy(options).pipe(Effect.provide(LedgerPlace.layer(own)))
    : yield* verify(target, options)
  const evidence = yield* compareRegistry(registry, own)
  const added = evidence === undefined ? {} : { registry: evidence }
  if (json) yield* Output.json({ v: 1, kind: "ledger-verify", path: target, keySource: source, ...report, ...added })
  else if (!quiet) {
    const shown = relative(process.cwd(), target)
    const folder = shown === "" || shown.startsWith("..") ? target : shown
    const name = inDatabase ? "PostgreSQL" : folder
    const colour = Output.colours(process.stdout)
    const all = lines(report, name, source, yield* Hint.here, colour)
    yield* Output.data([...all, ...(evidence === undefined ? [] : registryLines(evidence, colour))].join("\n"))
  } else if (report.faults.length > 0) {
    yield* Output.data(table(report.faults.map(faultRow)).join("\n"))
  }
  if (report.verdict === "busy" && !json) {
    yield* Output.message("The ledger kept changing while it was read. Verify again, or verify a snapshot of it.")
  }
  yield* Output.exitWith(codeOf(report, evidence))
})

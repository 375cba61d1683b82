import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { type Entry, data as eventData } from "../domain/event.ts"
import * as Chain from "./chain.ts"
import * as Checkpoint from "./checkpoint.ts"
import * as Ed25519 from "./ed25519.ts"
import * as LedgerFiles from "./ledger-files.ts"
import * as StreamName from "./stream-name.ts"
import * as Testimony from "./testimony.ts"
import * as VerifyCheckpoint from "./verify-checkpoint.ts"
import * as VerifyExport from "./verify-export.ts"
import { type LedgerFault, type Uncovered, type VerifyReport, exitCode, verdictOf } from "./verify-report.ts"
import * as VerifyPurged from "./verify-purged.ts"
import * as VerifyStream from "./verify-stream.ts"

/** Public keys and checkpoints that were kept elsewhere. Keys are PEM; `key` stands before `trusted`. */
export interface VerifyOptions {
  readonly key?: string
  readonly trusted?: ReadonlyArray<string>
  readonly checkpoint?: string
}

type Report = Omit<VerifyReport, "verdict" | "exitCode">

const isKey = Schema.is(eventData["dev.dandori.key.created.v1"])

/** Public keys in the ledger's own events: good for showing, pinned by nobody. */
const ownKeys = (system: ReadonlyArray<Entry>) =>
  Effect.forEach(
    system.flatMap(({ data }) => (isKey(data) ? [data.publicKey] : [])),
    (pem) => Effect.option(Ed25519.publicKey(pem)),
  ).pipe(Effect.map((keys) => keys.flatMap((key) => (key._tag === "Some" ? [key.value] : []))))

const pinnedKeys = (options: VerifyOptions) =>
  Effect.forEach(options.key === undefined ? (options.trusted ?? []) : [options.key], Ed25519.publicKey)

const identity = (fault: LedgerFault) => `${fault.stream} ${fault.line} ${fault.kind}`

/**
 * What names comes before what is named: of files that only grow, a later one is never behind an earlier one. `system`
 * names checkpoints, these the root, and the root all streams, `system` among them.
 */
const verifyFolder = Effect.fnUntraced(function* (
  folder: string,
  pinned: ReadonlyArray<Ed25519.PublicKey>,
  given: string | undefined,
) {
  const systemBefore = yield* LedgerFiles.stream(folder, StreamName.system)
  const checkpoints = yield* LedgerFiles.checkpoints(folder)
  const rootBytes = yield* LedgerFiles.stream(folder, StreamName.root)
  const systemBytes = yield* LedgerFiles.stream(folder, StreamName.system)
  const { runs, schedules, strays } = yield* LedgerFiles.events(folder)

  const faults: Array<LedgerFault> = []
  const uncovered: Array<Uncovered> = []
  const root = Chain.read(StreamName.root, rootBytes ?? new Uint8Array())
  const own = yield* ownKeys(Chain.read(StreamName.system, systemBytes ?? new Uint8Array()).entries)
  const keys = pinned.length > 0 ? pinned : own
  if (root.fault && root.fault.kind !== "torn") {
    faults.push({ ...root.fault, kind: root.fault.kind, stream: StreamName.root })
  } else if (root.fault) {
    const { line } = root.fault
    uncovered.push({ stream: StreamName.root, line, reason: "its last line has no end, as a crash leaves it" })
  }

  const state: VerifyCheckpoint.RootState = {
    entries: root.entries,
    leaves: Checkpoint.leavesOf(root.entries),
    validBytes: root.validBytes,
    damaged: root.fault !== undefined && root.fault.kind !== "torn",
  }
  let best: VerifyReport["checkpoint"]
  const texts =
    given === undefined ? checkpoints : [...checkpoints, { name: "--checkpoint", size: undefined, text: given }]
  for (const { name, size, text } of texts) {
    const answer = yield* VerifyCheckpoint.check(name, text, state, keys, best?.size ?? 0)
    if (!answer.holds) faults.push(...answer.faults)
    else if (size !== undefined && size !== answer.size) {
      faults.push({ stream: name, line: 2, offset: 0, kind: "altered", reason: `it covers ${answer.size} entries` })
    } else if (answer.size > (best?.size ?? 0)) {
      best = { size: answer.size, tree: answer.tree, keyid: answer.keyid }
    }
  }
  const kept = new Set(checkpoints.map(({ size }) => size))
  for (const { data, sequence } of root.entries) {
    if (!Testimony.isCheckpointed(data) || kept.has(data.entries)) continue
    const reason = `line ${sequence} of the root names this checkpoint, but its file is gone`
    faults.push({ stream: `checkpoints/${data.entries}.txt`, line: 1, offset: 0, kind: "missing", reason })
  }
  const sealed = best?.size ?? 0
  const named = Chain.read(StreamName.system, systemBefore ?? new Uint8Array()).entries
  for (const fault of VerifyCheckpoint.compareSystem(named, state, kept, sealed)) {
    if (!faults.some((known) => identity(known) === identity(fault))) faults.push(fault)
  }
  if (root.entries.length > sealed) {
    const reason = sealed === 0 ? "no checkpoint covers it yet" : "no checkpoint covers the entries from here on yet"
    uncovered.push({ stream: StreamName.root, line: sealed + 1, reason })
  }

  const said = Testimony.testimonies(root.entries)
  const open: Array<string> = []
  const coverage = { checkpoint: 0, root: 0, notYet: 0 }
  let entries = root.entries.length
  let bytes = rootBytes?.length ?? 0
  let streams = rootBytes === undefined ? 0 : 1
  let anyFinished = false
  const take = (stream: string, content: Uint8Array) => {
    const checked = VerifyStream.check(stream, content, said.get(stream))
    faults.push(...checked.faults)
    uncovered.push(...checked.uncovered)
    if (checked.open) open.push(stream)
    const by = checked.coveredBy
    coverage[by === undefined ? "notYet" : by <= sealed ? "checkpoint" : "root"]++
    entries += checked.entries
    bytes += content.length
    streams++
    return checked
  }
  const there = new Set<string>()
  if (systemBytes !== undefined) {
    there.add(StreamName.system)
    take(StreamName.system, systemBytes)
  }
  for (const { stream, path } of schedules) {
    const content = yield* LedgerFiles.bytesOf(path)
    if (content === undefined) continue
    there.add(stream)
    take(stream, content)
  }
  for (const { stream, path } of runs) {
    const content = yield* LedgerFiles.bytesOf(path)
    if (content === undefined) continue
    there.add(stream)
    anyFinished = !take(stream, content).open || anyFinished
  }
  const purged = VerifyPurged.check(said, there)
  faults.push(...purged.faults)
  for (const [stream, { opened, closed, purged }] of said) {
    if (there.has(stream) || purged !== undefined) continue
    const line = opened?.line ?? closed[0].line
    const reason = `line ${line} of the root names it, but its file ${StreamName.segmentPath(stream)} is gone`
    faults.push({ stream, line: 1, offset: 0, kind: "missing", reason })
  }
  const rootLost = faults.some(({ kind, stream }) => stream === StreamName.root && kind === "missing")
  if ((rootBytes === undefined || rootBytes.length === 0) && anyFinished && !rootLost) {
    const reason = "runs have finished, but the root stream that counts them is gone"
    faults.push({ stream: StreamName.root, line: 1, offset: 0, kind: "missing", reason })
  }
  const key = { pinned: pinned.length > 0, keyids: keys.map(({ keyid }) => keyid) }
  const recovered = Testimony.recovered(root.entries)
  return {
    faults,
    streams,
    entries,
    bytes,
    open,
    uncovered,
    recovered,
    strays,
    purged: purged.runs,
    coverage,
    checkpoint: best,
    key,
  } satisfies Report
})

const verifyFile = Effect.fnUntraced(function* (file: string) {
  const path = yield* Path.Path
  const content = (yield* LedgerFiles.bytesOf(file)) ?? new Uint8Array()
  const name = path.basename(file, ".ndjson")
  const stream = StreamName.isGathering(name)
    ? name
    : (StreamName.schedulesAt(path.resolve(file).split(path.sep).slice(-2).join("/")) ?? StreamName.ofRun(name))
  const checked = VerifyStream.check(stream, content, undefined)
  const report: Report = {
    faults: checked.faults,
    streams: 1,
    entries: checked.entries,
    bytes: content.length,
    open: checked.open ? [stream] : [],
    uncovered: checked.uncovered,
    recovered: [],
    strays: [],
    purged: [],
    coverage: { checkpoint: 0, root: 0, notYet: 1 },
    checkpoint: undefined,
    key: { pinned: false, keyids: [] },
  }
  return report
})

/** Passes over a ledger that keeps changing before it is called busy. */
const passes = 5

/**
 * Verifies a ledger's folder (or the home above it), one file of events, or an exported run, from its files alone.
 * What is wrong must be seen twice, so that a ledger that is being written is not blamed for it. Fails only when
 * there is nothing to read or a key is none.
 */
export const verify = Effect.fn("Ledger.verify")(function* (target: string, options: VerifyOptions = {}) {
  const fs = yield* FileSystem.FileSystem
  const pinned = yield* pinnedKeys(options)
  const info = yield* fs
    .stat(target)
    .pipe(
      Effect.mapError(
        (error) => new LedgerFiles.LedgerUnreadable({ path: target, reason: LedgerFiles.plainReason(error) }),
      ),
    )
  const pass: Effect.Effect<Report, LedgerFiles.LedgerUnreadable, FileSystem.FileSystem | Path.Path> =
    info.type === "File"
      ? verifyFile(target)
      : (yield* VerifyExport.isExport(target))
        ? VerifyExport.verify(target, pinned)
        : verifyFolder(yield* LedgerFiles.locate(target), pinned, options.checkpoint)

  let report = yield* pass
  for (let i = 1; report.faults.length > 0 && i < passes; i++) {
    const before = new Set(report.faults.map(identity))
    report = yield* pass
    const seenTwice = report.faults.filter((fault) => before.has(identity(fault)))
    if (seenTwice.length === 0) continue
    const verdict = verdictOf(seenTwice)
    return { ...report, faults: seenTwice, verdict, exitCode: exitCode(verdict) } satisfies VerifyReport
  }
  const verdict = report.faults.length > 0 ? "busy" : "intact"
  return { ...report, verdict, exitCode: exitCode(verdict) } satisfies VerifyReport
})

import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { Artifact } from "../domain/artifact.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { type Entry, data as eventData } from "../domain/event.ts"
import type { Statement } from "../domain/receipt.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { Artifacts } from "../services/artifacts.ts"
import { Evidence, EvidenceError, type FoundReceipt } from "../services/evidence.ts"
import { LedgerKey } from "./keys.ts"
import { Ledger } from "./ledger.ts"
import * as LedgerCopy from "./ledger-copy.ts"
import * as Receipts from "./receipts.ts"
import * as Sealing from "./sealing.ts"
import * as StreamName from "./stream-name.ts"
import * as UnfinishedRuns from "./unfinished-runs-ledger.ts"

const failed = (cause: { readonly message: string }) => new EvidenceError({ reason: cause.message, cause })
const decodeArtifact = Schema.decodeEffect(Schema.fromJsonString(Artifact))
const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])
const isFailed = Schema.is(eventData["dev.dandori.attempt.failed.v1"])
const isSucceeded = Schema.is(eventData["dev.dandori.attempt.succeeded.v1"])
const decodeJson = Schema.decodeEffect(Schema.fromJsonString(Schema.Unknown))
const isGate = Schema.is(eventData["dev.dandori.gate.passed.v1"])
const noEntries: ReadonlyArray<Entry> = []

/** Why the run's entries do not bear out the statement; undefined when they do. */
const contradiction = (statement: Statement, entries: ReadonlyArray<Entry>): string | undefined => {
  const claim = statement.predicate.dandori
  const event = entries.find(({ entryhash }) => entryhash === claim.event)
  const created = entries[0]?.data
  if (event === undefined || !isCreated(created)) return `its event is not in the ledger of run ${claim.run}`
  const verdict = statement.predicate.result
  const type = verdict === "FAILED" ? "dev.dandori.gate.failed.v1" : "dev.dandori.gate.passed.v1"
  if (event.type !== type || !isGate(event.data)) return "its event in the ledger is of another kind"
  const borneOut = Receipts.statementOf({
    gate: event.data.gate,
    entry: event.entryhash,
    sequence: Number(event.sequence),
    env: created.env,
    plan: created.plan,
    run: claim.run,
    task: event.data.task,
    type: event.data.type,
  })
  return CanonicalJson.encode(borneOut) === CanonicalJson.encode(statement)
    ? undefined
    : "it says something else than its event in the ledger"
}

const newestFirst = (a: FoundReceipt, b: FoundReceipt) => {
  const [x, y] = [a.statement.predicate.dandori, b.statement.predicate.dandori]
  return x.run === y.run ? y.sequence - x.sequence : x.run < y.run ? 1 : -1
}

const make = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const ledger = yield* Ledger
  const key = yield* LedgerKey
  const artifacts = yield* Artifacts

  const entriesOf = (run: string) =>
    ledger.read(StreamName.ofRun(run)).pipe(
      Effect.map(({ entries }) => entries),
      Effect.catchTag("StreamMissing", () => Effect.succeed(noEntries)),
      Effect.mapError(failed),
    )

  /** The statement of an indexed receipt; or why it cannot be read: its bytes are gone, others, or no receipt. */
  const open = Effect.fnUntraced(
    function* (file: string) {
      const artifact = yield* fs.readFileString(file).pipe(Effect.flatMap(decodeArtifact))
      const bytes = yield* artifacts.get(artifact.sha256)
      return { artifact, envelope: yield* Receipts.openEnvelope(bytes) }
    },
    (effect, file) =>
      Effect.mapError(
        effect,
        ({ message }) => `the receipt ${path.basename(file, ".json").slice(0, 12)}… cannot be read: ${message}`,
      ),
  )

  /** What is indexed under a subject. */
  const indexed = Effect.fnUntraced(function* (subject: Sha256) {
    const folder = Receipts.indexFolder(path, home, subject)
    if (!(yield* fs.exists(folder))) return []
    const names = (yield* fs.readDirectory(folder)).filter((name) => name.endsWith(".json"))
    return yield* Effect.forEach(names, (name) => Effect.result(open(path.join(folder, name))))
  }, Effect.mapError(failed))

  const judge = Effect.fnUntraced(function* (
    subject: Sha256,
    envelope: Receipts.OpenedEnvelope,
    entriesOf: (run: string) => Effect.Effect<ReadonlyArray<Entry>, EvidenceError>,
  ) {
    const ours = envelope.signatures.find(({ keyid }) => keyid === key.keyid)
    if (ours === undefined) return "it is not signed by this ledger's key"
    if (!(yield* key.verify(envelope.signed, Buffer.from(ours.sig, "base64")))) return "its signature is wrong"
    if (!envelope.statement.subject.some(({ digest }) => digest.sha256 === subject)) return "it names other bytes"
    return contradiction(envelope.statement, yield* entriesOf(envelope.statement.predicate.dandori.run))
  })

  const receiptsFor: Evidence["Service"]["receiptsFor"] = Effect.fn("Evidence.receiptsFor")(function* (subject) {
    const opened = (yield* indexed(subject)).flatMap((each) => (Result.isSuccess(each) ? [each.success] : []))
    const read = new Map<string, ReadonlyArray<Entry>>()
    const readOnce = Effect.fnUntraced(function* (run: string) {
      const entries = read.get(run) ?? (yield* entriesOf(run))
      read.set(run, entries)
      return entries
    })
    const found: Array<FoundReceipt> = []
    for (const { artifact, envelope } of opened) {
      found.push({ statement: envelope.statement, artifact, problem: yield* judge(subject, envelope, readOnce) })
    }
    return found.toSorted(newestFirst)
  }, Effect.mapError(failed))

  const outputOf: Evidence["Service"]["outputOf"] = Effect.fn("Evidence.outputOf")(function* (run, task) {
    const entries = yield* entriesOf(run)
    // A gate that has refused leaves an output too, with its failure.
    const succeeded = entries.filter(({ type }) => type === "dev.dandori.attempt.succeeded.v1")
    const data = succeeded.map((entry) => entry.data).findLast((found) => isSucceeded(found) && found.task === task)
    if (!isSucceeded(data)) return Option.none()
    if (data.outputArtifact === undefined) return Option.some(data.output)
    const bytes = yield* artifacts.get(data.outputArtifact.sha256)
    return Option.some(yield* decodeJson(new TextDecoder().decode(bytes)))
  }, Effect.mapError(failed))

  const failureOf: Evidence["Service"]["failureOf"] = Effect.fnUntraced(function* (run, task) {
    const entries = yield* entriesOf(run)
    const ended = entries.filter(({ type }) => /^dev\.dandori\.attempt\.(failed|succeeded)\.v1$/.test(type))
    const last = ended.findLast(({ data }) => (isFailed(data) || isSucceeded(data)) && data.task === task)?.data
    return isFailed(last) ? Option.some(last.error) : Option.none()
  })

  return Evidence.of({
    receiptsFor,
    unreadable: (subject) =>
      Effect.map(indexed(subject), (all) => all.flatMap((each) => (Result.isFailure(each) ? [each.failure] : []))),
    failureOf,
    holds: (run, entry) =>
      Effect.map(entriesOf(run), (entries) => entries.some(({ entryhash }) => entryhash === entry)),
    head: ledger.read("root").pipe(
      Effect.map(({ head }) => head),
      Effect.catchTag("StreamMissing", () => Effect.succeed(Sealing.genesis("root"))),
      Effect.mapBoth({ onSuccess: ({ sequence, hash }) => ({ entries: sequence, hash }), onFailure: failed }),
    ),
    outputOf,
    copyTo: (folder) =>
      LedgerCopy.copyTo(folder).pipe(
        Effect.provideService(Ledger, ledger),
        Effect.provideService(FileSystem.FileSystem, fs),
        Effect.provideService(Path.Path, path),
        Effect.mapError(failed),
      ),
    verifyFolder: (folder, head) =>
      Effect.promise(() => import("./verify-copy.ts")).pipe(
        Effect.flatMap((VerifyCopy) => VerifyCopy.verifyFolder(folder, head)),
        Effect.provideService(FileSystem.FileSystem, fs),
        Effect.provideService(Path.Path, path),
        Effect.mapError(failed),
      ),
    sign: (bytes) => Effect.map(key.sign(bytes), (signature) => ({ keyid: key.keyid, signature })),
    publicKey: Effect.succeed(key.publicPem),
  })
})

/** The evidence of the ledger, with the receipts indexed in `<home>/receipts`, and its runs that have not ended. */
export const layer = (home: string) => Layer.merge(Layer.effect(Evidence, make(home)), UnfinishedRuns.layer)

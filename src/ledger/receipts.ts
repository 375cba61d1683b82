import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { Artifact } from "../domain/artifact.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { GateResult } from "../domain/gate.ts"
import type { EnvironmentName } from "../domain/names.ts"
import { Envelope, Statement, preAuthEncoding } from "../domain/receipt.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { Artifacts } from "../services/artifacts.ts"
import * as DurableFiles from "../services/durable-files.ts"
import { LedgerKey } from "./keys.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"

/** A receipt could not be made, indexed or read. */
export class ReceiptFailed extends Schema.TaggedError<ReceiptFailed>()("ReceiptFailed", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The receipt cannot be used: ${this.reason}`
  }
}

const mediaType = "application/vnd.dsse.envelope.v1+json"
/** What a receipt's envelope holds. */
export const payloadType = "application/vnd.in-toto+json"

/** A gate event in the ledger: what it says, and where it stands. `type` is the task type that judged. */
export interface GateEvent {
  readonly gate: GateResult
  readonly entry: Sha256
  readonly sequence: number
  readonly env: EnvironmentName
  readonly plan: Sha256
  readonly run: string
  readonly task: string
  readonly type: string
}

/** The statement that a gate event amounts to. */
export const statementOf = (event: GateEvent): Statement => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: event.gate.subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
  predicateType: "https://in-toto.io/attestation/test-result/v0.1",
  predicate: {
    result: event.gate.verdict,
    configuration: [{ name: event.gate.policy.name, digest: { sha256: event.gate.policy.sha256 } }],
    dandori: {
      gate: event.type,
      env: event.env,
      plan: event.plan,
      run: event.run,
      task: event.task,
      event: event.entry,
      sequence: event.sequence,
    },
  },
})

const failed = (cause: { readonly message: string }) => new ReceiptFailed({ reason: cause.message, cause })

/** `<home>/receipts/<subject>`: the receipts that name the subject, each as `<envelope>.json` with its artifact. */
export const indexFolder = (path: Path.Path, home: string, subject: string): string =>
  path.join(home, "receipts", subject)

const index = Effect.fnUntraced(function* (home: string, statement: Statement, artifact: Artifact) {
  const path = yield* Path.Path
  const text = CanonicalJson.encode(artifact)
  for (const subject of new Set(statement.subject.map(({ digest }) => digest.sha256))) {
    const folder = indexFolder(path, home, subject)
    yield* DurableFiles.makeFolderDurably(folder)
    yield* DurableFiles.writeFileDurably(path.join(folder, `${artifact.sha256}.json`), text)
  }
}, Effect.mapError(failed))

/**
 * Issues the receipt of a gate event: an in-toto statement in a DSSE envelope, signed by the ledger's key, stored as
 * an artifact and indexed by its subjects. The event must be durable before. The same event gives the same bytes.
 */
export const issue = Effect.fn("Receipts.issue")(function* (home: string, event: GateEvent) {
  const key = yield* LedgerKey
  const artifacts = yield* Artifacts
  const statement = statementOf(event)
  const payload = new TextEncoder().encode(CanonicalJson.encode(statement))
  const signature = yield* key.sign(preAuthEncoding(payloadType, payload))
  const envelope: Envelope = {
    payloadType,
    payload: Buffer.from(payload).toString("base64"),
    signatures: [{ keyid: key.keyid, sig: Buffer.from(signature).toString("base64") }],
  }
  const artifact = yield* artifacts
    .put(`${event.type}.receipt.json`, mediaType, CanonicalJson.encode(envelope))
    .pipe(Effect.mapError(failed))
  yield* index(home, statement, artifact)
  return artifact
})

/** A receipt's envelope taken apart: the statement, and the bytes that were signed. */
export interface OpenedEnvelope {
  readonly statement: Statement
  readonly payload: Uint8Array
  readonly signed: Uint8Array
  readonly signatures: Envelope["signatures"]
}

const decodeEnvelope = Schema.decodeEffect(Schema.fromJsonString(Envelope))
const decodeStatement = Schema.decodeEffect(Schema.fromJsonString(Statement))

/** Takes a receipt's bytes apart; nothing is verified yet. */
export const openEnvelope = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const envelope = yield* decodeEnvelope(new TextDecoder().decode(bytes))
  const payload = new Uint8Array(Buffer.from(envelope.payload, "base64"))
  const statement = yield* decodeStatement(new TextDecoder().decode(payload))
  const opened: OpenedEnvelope = {
    statement,
    payload,
    signed: preAuthEncoding(envelope.payloadType, payload),
    signatures: envelope.signatures,
  }
  return opened
}, Effect.mapError(failed))

const isArtifacts = Schema.is(Schema.Array(Artifact))
/** The receipts that an event's data names. */
export const namedBy = (data: unknown): ReadonlyArray<Artifact> =>
  typeof data === "object" && data !== null && "receipts" in data && isArtifacts(data.receipts) ? data.receipts : []

/**
 * Builds the index of `<home>/receipts` anew from the receipts that the runs' events name; answers with their number.
 * Receipts whose bytes are gone are left out.
 */
export const rebuild = Effect.fn("Receipts.rebuild")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  yield* fs.remove(path.join(home, "receipts"), { recursive: true, force: true }).pipe(Effect.mapError(failed))
  const seen = new Set<string>()
  for (const run of yield* ledger.runs.pipe(Effect.mapError(failed))) {
    const chain = yield* ledger.read(StreamName.ofRun(run)).pipe(
      Effect.catchTag("StreamMissing", () => Effect.undefined),
      Effect.mapError(failed),
    )
    for (const receipt of (chain?.entries ?? []).flatMap(({ data }) => namedBy(data))) {
      if (seen.has(receipt.sha256) || !(yield* artifacts.has(receipt.sha256))) continue
      seen.add(receipt.sha256)
      const bytes = yield* artifacts.get(receipt.sha256).pipe(Effect.mapError(failed))
      yield* index(home, (yield* openEnvelope(bytes)).statement, receipt)
    }
  }
  return seen.size
})

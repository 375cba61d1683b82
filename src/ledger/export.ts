import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { type Entry, data as eventData } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import { Artifacts } from "../services/artifacts.ts"
import * as DurableFiles from "../services/durable-files.ts"
import * as Checkpoint from "./checkpoint.ts"
import { StreamDamaged } from "./errors.ts"
import { readme } from "./export-readme.ts"
import { LedgerKey } from "./keys.ts"
import { Ledger } from "./ledger.ts"
import * as Merkle from "./merkle.ts"
import * as Root from "./root.ts"
import { type Proof, artifactsOf, digestList, files, receiptsOf } from "./run-export.ts"
import * as StreamName from "./stream-name.ts"
import { isClosed, isOpened } from "./testimony.ts"

/** A run could not be exported. */
export class ExportFailed extends Schema.TaggedError<ExportFailed>()("ExportFailed", {
  run: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `Run ${this.run} was not exported: ${this.reason}`
  }
}

const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])

const proofOf = (run: string, root: ReadonlyArray<Entry>, size: number): Proof => {
  const covered = root.slice(0, size)
  const leaves = Checkpoint.leavesOf(covered)
  const entries = covered.flatMap((entry, index) => {
    const about = (isOpened(entry.data) || isClosed(entry.data)) && entry.data.stream === StreamName.ofRun(run)
    if (!about) return []
    const path = Merkle.inclusionProof(leaves, index).map((hash) => Buffer.from(hash).toString("base64"))
    return [{ index, line: CanonicalJson.encode(entry), path }]
  })
  return { run, size, entries }
}

/** What an export holds: where it lies, its events, receipts and artifacts, and the size of the checkpoint's tree. */
export interface Exported {
  readonly folder: string
  readonly events: number
  readonly receipts: number
  readonly artifacts: number
  readonly checkpoint: number
}

/**
 * Writes a run's record to the new folder `into`, made so that it can be checked with nothing else at hand: see the
 * README.txt in it. Adds what a crash kept from the root, and makes a checkpoint first where the newest one does not cover the run.
 */
export const exportRun = Effect.fn("Ledger.exportRun")(function* (run: string, into: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const ledger = yield* Ledger
  const key = yield* LedgerKey
  const artifacts = yield* Artifacts
  const failed = (cause: { readonly message: string }) => new ExportFailed({ run, reason: cause.message, cause })
  if (yield* fs.exists(into).pipe(Effect.mapError(failed))) {
    return yield* new ExportFailed({ run, reason: `${into} exists already. Name a new folder` })
  }

  yield* Root.reconcile()
  const stream = StreamName.ofRun(run)
  const chain = yield* ledger.read(stream)
  if (chain.fault !== undefined && chain.fault.kind !== "torn") {
    return yield* new StreamDamaged({ stream, line: chain.fault.line, reason: chain.fault.reason })
  }
  const created = chain.entries[0]?.data
  if (!isCreated(created)) return yield* new ExportFailed({ run, reason: "its first event does not say what was run" })
  const { text, size } = yield* Checkpoint.make()
  const root = yield* ledger.read(StreamName.root)
  const receipts = receiptsOf(chain.entries)
  const named = artifactsOf(chain.entries)

  const written: Array<string> = []
  const write = Effect.fnUntraced(function* (name: string, bytes: Uint8Array | string) {
    yield* DurableFiles.writeFileDurably(path.join(into, name), bytes)
    written.push(`${Sha256.of(bytes)}  ${name}\n`)
  })
  yield* Effect.gen(function* () {
    yield* DurableFiles.makeFolderDurably(path.join(into, files.receipts))
    const events = yield* ledger.bytes(stream)
    yield* write(files.events, events.subarray(0, chain.validBytes))
    yield* write(files.checkpoint, text)
    yield* write(files.proof, CanonicalJson.encode(proofOf(run, root.entries, size)))
    yield* write(files.publicKey, key.publicPem)
    yield* write(files.plan, yield* artifacts.get(created.planArtifact.sha256))
    for (const { sha256 } of receipts) yield* write(`${files.receipts}/${sha256}.json`, yield* artifacts.get(sha256))
    yield* write(files.artifacts, digestList(named))
    yield* write(files.readme, readme(run, key.keyid))
    yield* DurableFiles.writeFileDurably(path.join(into, files.files), written.join(""))
  }).pipe(Effect.mapError(failed))
  const exported: Exported = {
    folder: into,
    events: chain.entries.length,
    receipts: receipts.length,
    artifacts: named.length,
    checkpoint: size,
  }
  return exported
})

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { taskType } from "../../src/authoring/task-type.ts"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { Attempt } from "../../src/services/attempt.ts"
import type { Store } from "../../src/services/object-store.ts"
import { Progress } from "../../src/services/progress.ts"
import * as SnapshotDatabases from "../../src/services/snapshot-databases.ts"
import * as SnapshotManifest from "../../src/services/snapshot-manifest.ts"
import * as SnapshotRead from "../../src/services/snapshot-read.ts"
import * as SnapshotRestore from "../../src/services/snapshot-restore.ts"
import * as SnapshotTake from "../../src/services/snapshot-take.ts"
import * as Cloud from "./cloud.ts"
import { makeCopies } from "./copies.ts"
import { openDestination } from "./destination.ts"
import { databaseErrors } from "./errors.ts"
import { Input, Output } from "./schema.ts"
import { sourcesOf } from "./sources.ts"

const place = (input: Input) =>
  Effect.gen(function* () {
    const attempt = yield* Attempt
    const { left, sources } = yield* sourcesOf(input)
    const cloud = yield* Cloud.choose(input)
    const store = yield* openDestination(input.destination, sources)
    return {
      attempt,
      sources,
      cloud,
      left: [...left, ...cloud.left],
      store,
      snapshot: SnapshotManifest.idOf(attempt.runCreated, attempt.idempotencyKey),
    }
  })

/** Proves what a manifest says and makes the output of it. */
const finish = (store: Store, found: SnapshotRead.FoundManifest, input: Input) =>
  Effect.gen(function* () {
    const { scratch } = yield* Attempt
    const { manifest, sha256, bytes } = found
    const verification = yield* SnapshotRestore.verifySnapshot(
      store.location,
      manifest.snapshot,
      input.verify,
      scratch,
      (targets, folder) => SnapshotDatabases.restore(targets, folder, "scratch", scratch),
    )
    const output: Output = {
      snapshot: manifest.snapshot,
      location: store.location,
      manifest: { sha256, bytes },
      digest: manifest.digest,
      objects: manifest.objects,
      bytes: manifest.bytes,
      ...(manifest.taken === undefined ? {} : { taken: manifest.taken }),
      ...(manifest.transaction === undefined ? {} : { transaction: manifest.transaction }),
      head: manifest.head,
      verification,
      targets: manifest.targets.map(({ kind, name, source, files, links, skipped }) => ({
        kind,
        name,
        source,
        objects: files.length,
        bytes: files.reduce((sum, file) => sum + file.bytes, 0),
        links: links.length,
        skipped,
      })),
      ...(manifest.resources === undefined ? {} : { resources: manifest.resources }),
      left: manifest.left ?? [],
    }
    return output
  })

/** Takes and proves a snapshot. Its id follows from run and task, so a later attempt goes on with what is there. */
export default taskType({
  type: "snapshot",
  version: 1,
  description:
    "Copies folders, models, write-once records, ledger and databases to an object store with a manifest, and proves it",
  input: Input,
  output: Output,
  errors: {
    ...databaseErrors,
    CloudFailed: "RDS or EC2 did not answer, or refused",
    CloudSnapshotFailed: "the cloud gave a snapshot up",
    CloudSnapshotLate: "a snapshot in the cloud was not ready in time",
    CloudSnapshotRefused: "there is nothing like that in the cloud, or the name is another's",
    DestinationInside: "the destination lies within what is copied",
    EvidenceError: "the ledger cannot be read",
    FileFailed: "a file could not be read or written",
    ObjectExists: "another object is there already",
    ObjectStoreError: "the object store failed",
    PathRefused: "a path leads outside of the project",
    QuiesceFailed: "a command that holds writes back, or lets them go on, failed",
    SnapshotDamaged: "the copy is not what was taken",
    SourceUnstable: "a file changed while it was copied",
  },
  effects: "once",
  config: ["database", "ledger", "messaging", "storage"],
  dryRun: (input) =>
    Effect.map(place(input), ({ sources, store, snapshot }) => {
      const taken = sources.map((source) => source.source).join(", ")
      return `would copy ${taken} to ${store.location}/${snapshot} and prove it by ${input.verify}`
    }),
  probe: (input) =>
    Effect.gen(function* () {
      const { store, snapshot } = yield* place(input)
      const found = yield* SnapshotRead.readManifest(store, snapshot)
      return Option.isNone(found) ? Option.none() : Option.some(yield* finish(store, found.value, input))
    }),
  run: (input) =>
    Effect.gen(function* () {
      const { attempt, cloud, left, sources, store, snapshot } = yield* place(input)
      const before = yield* SnapshotRead.readManifest(store, snapshot)
      if (Option.isSome(before)) return yield* finish(store, before.value, input)

      const progress = yield* Progress
      const from = new Date(yield* Clock.currentTimeMillis).toISOString()
      const { head, transaction } = yield* makeCopies(sources)
      const inCloud = yield* Effect.forkChild(Cloud.take(cloud, snapshot))
      let done = 0
      const onFile = (bytes: number) =>
        Effect.suspend(() => progress.report({ done: (done += bytes), unit: "bytes", note: "copied" }))
      const taken = yield* Effect.forEach(sources, (source) =>
        SnapshotTake.take(store, snapshot, source, attempt.scratch, onFile),
      )
      const resources = yield* Fiber.join(inCloud)
      const targets = taken.map((one) => one.target)
      const files = SnapshotManifest.filesOf(targets)
      const manifest: SnapshotManifest.Manifest = {
        format: "dandori-snapshot/1",
        snapshot,
        created: new Date(attempt.runCreated).toISOString(),
        record: attempt.idempotencyKey,
        taken: { from, until: new Date(yield* Clock.currentTimeMillis).toISOString() },
        ...(transaction === undefined ? {} : { transaction }),
        head,
        targets,
        ...(resources === undefined ? {} : { resources }),
        left,
        objects: files.length,
        bytes: files.reduce((sum, file) => sum + file.bytes, 0),
        digest: SnapshotManifest.digestOf(targets),
      }
      const bytes = new TextEncoder().encode(`${CanonicalJson.encode(manifest)}\n`)
      const written = yield* store.put(SnapshotManifest.manifestKey(snapshot), bytes)
      yield* attempt.note({
        sent: taken.reduce((sum, one) => sum + one.sent, 0),
        reused: taken.reduce((sum, one) => sum + one.reused, 0),
      })
      return yield* finish(store, { manifest, sha256: written.sha256, bytes: written.bytes }, input)
    }),
})

import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Sha256 from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"
import * as Worm from "./worm-record.ts"

/** The chain cannot be continued as it is. */
export class WormDamaged extends Schema.TaggedError<WormDamaged>()("WormDamaged", {
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The write-once record ${this.path} ${this.reason}; run \`dandori worm verify\` and settle what it finds first`
  }
}

/** A record to be appended; `recordId` is run/task. */
export interface Request {
  readonly recordType: Worm.RecordType
  readonly recordId: string
  readonly payload: Worm.Record["payload"]
}

/** Where a record stands. */
export interface Appended {
  /** Absolute, or `s3://…`. */
  readonly path: string
  readonly sha256: Sha256.Sha256
  readonly sequence: number
  readonly prevSha256: Sha256.Sha256
}

type Failure = Durable.FileFailed | FileLock.LockBusy | FileLock.LockFailed | WormDamaged

const patienceMillis = 30_000

/** Runs under the lock `worm/<record_type>`, which lies in `<root>/.locks/`. */
export const locked = <A, E, R>(root: string, recordType: Worm.RecordType, effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const path = join(root, ".locks", "worm", recordType)
      yield* Durable.makeFolderDurably(dirname(path))
      yield* FileLock.acquireWithin(path, patienceMillis)
      return yield* effect
    }),
  )

const readText = (path: string): Effect.Effect<string, Durable.FileFailed> =>
  Durable.attempt("read", path, () => Fs.readFile(path, "utf8"))

const listed = (path: string): Effect.Effect<ReadonlyArray<string>, Durable.FileFailed> =>
  Durable.attempt("list", path, () => Fs.readdir(path)).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed([]),
    ),
  )

/**
 * Ends what a crash has left. A record appears in three durable steps: `chain/<n>.pending` (its bytes),
 * `chain/<n>.json` (its link: from here on it counts), its place in the tree.
 */
const recover = (folder: string): Effect.Effect<void, Failure> =>
  Effect.gen(function* () {
    const chain = join(folder, "chain")
    for (const name of yield* listed(chain)) {
      if (!name.endsWith(".pending")) continue
      const pending = join(chain, name)
      const linkPath = join(chain, name.replace(".pending", ".json"))
      const link = yield* Effect.option(readText(linkPath))
      if (Option.isNone(link)) yield* Durable.removeFileDurably(pending)
      else yield* settle(folder, pending, link.value, linkPath)
    }
  })

const settle = (folder: string, pending: string, linkText: string, linkPath: string): Effect.Effect<void, Failure> =>
  Effect.gen(function* () {
    const link = Worm.decodeLink(linkText)
    const digest = (yield* Durable.digestFile(pending)).sha256
    if (Option.isNone(link) || link.value.sha256 !== digest) {
      return yield* new WormDamaged({ path: linkPath, reason: "does not belong to the bytes beside it" })
    }
    const target = join(folder, link.value.path)
    yield* Durable.makeFolderDurably(dirname(target))
    yield* Durable.attempt("create", target, () => Fs.link(pending, target)).pipe(
      Effect.catchIf(
        (error) => error.code === "EEXIST",
        () => Effect.void,
      ),
    )
    yield* Durable.syncFolder(dirname(target))
    yield* Durable.removeFileDurably(pending)
  })

/** The record with this id, after ending what a crash has left. Call it under the lock. */
const search = (
  folder: string,
  recordType: Worm.RecordType,
  recordId: string,
): Effect.Effect<Option.Option<Appended>, Failure> =>
  Effect.gen(function* () {
    yield* recover(folder)
    const ending = `_${Worm.uuidOf(recordType, recordId)}.json`
    for (const year of yield* listed(folder)) {
      if (!/^\d{4}$/.test(year)) continue
      for (const month of yield* listed(join(folder, year))) {
        const name = (yield* listed(join(folder, year, month))).find((name) => name.endsWith(ending))
        if (name === undefined) continue
        const path = join(folder, year, month, name)
        const text = yield* readText(path)
        const record = Worm.decodeRecord(text)
        if (Option.isNone(record)) return yield* new WormDamaged({ path, reason: "is no longer readable as one" })
        const { sequence, prev_sha256: prevSha256 } = record.value
        return Option.some({ path, sha256: Sha256.of(text), sequence, prevSha256 })
      }
    }
    return Option.none()
  })

/** The record that a task of a run has written, if it has. Ends what a crash has left. */
export const find = (
  root: string,
  recordType: Worm.RecordType,
  recordId: string,
): Effect.Effect<Option.Option<Appended>, Failure> =>
  locked(root, recordType, search(join(root, recordType), recordType, recordId))

const headOf = (folder: string): Effect.Effect<Pick<Worm.Link, "sequence" | "sha256">, Failure> =>
  Effect.gen(function* () {
    const names = (yield* listed(join(folder, "chain"))).filter((name) => /^\d{12}\.json$/.test(name)).toSorted()
    const last = names.at(-1)
    if (last === undefined) {
      const years = (yield* listed(folder)).filter((name) => /^\d{4}$/.test(name))
      if (years.length === 0) return { sequence: 0, sha256: Worm.genesis }
      return yield* new WormDamaged({
        path: join(folder, "chain"),
        reason: "index is missing though there are records",
      })
    }
    const path = join(folder, "chain", last)
    const link = Worm.decodeLink(yield* readText(path))
    if (Option.isNone(link)) return yield* new WormDamaged({ path, reason: "is not readable" })
    return link.value
  })

/**
 * Appends a record to its type's chain: created exclusively, flushed, mode 0444. A record with this id that is there
 * already is returned as it is. `root` is absolute.
 */
export const append = (root: string, request: Request): Effect.Effect<Appended, Failure> => {
  const { recordType, recordId, payload } = request
  const folder = join(root, recordType)
  return locked(
    root,
    recordType,
    Effect.gen(function* () {
      const before = yield* search(folder, recordType, recordId)
      if (Option.isSome(before)) return before.value
      const head = yield* headOf(folder)
      const sequence = head.sequence + 1
      const record: Worm.Record = {
        record_type: recordType,
        created_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        payload,
        sequence,
        prev_sha256: head.sha256,
        record_id: recordId,
      }
      const text = Worm.textOf(record)
      const path = Worm.pathOf(record)
      const sha256 = Sha256.of(text)
      const name = join(folder, "chain", Worm.sequenceName(sequence))
      const link = Worm.textOf({ sequence, path, sha256, prev_sha256: head.sha256, record_id: recordId })
      yield* Durable.makeFolderDurably(dirname(name))
      yield* Durable.writeNewFileDurably(`${name}.pending`, text, { mode: 0o444 })
      yield* Durable.writeNewFileDurably(`${name}.json`, link, { mode: 0o444 })
      yield* settle(folder, `${name}.pending`, link, `${name}.json`)
      return { path: join(folder, path), sha256, sequence, prevSha256: head.sha256 }
    }),
  )
}

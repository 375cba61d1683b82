import * as Fs from "node:fs/promises"
import { join, relative } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Durable from "./durable-files.ts"
import * as FolderTree from "./folder-tree.ts"
import { ObjectExists, type ObjectStoreError, type Store } from "./object-store.ts"
import * as SnapshotManifest from "./snapshot-manifest.ts"

/** A file changed each time it was read. */
export class SourceUnstable extends Schema.TaggedError<SourceUnstable>()("SourceUnstable", {
  path: Schema.String,
  tries: Schema.Int,
}) {
  readonly transient = true
  override get message() {
    return `${this.path} changed while it was read, ${this.tries} times; stop what writes to it, or leave it out of the snapshot`
  }
}

/**
 * A folder to take: `name` is its folder in a restored snapshot, `source` how it is shown, `path` absolute. `without`
 * are absolute paths of folders and files that are left out where they lie in it, also behind links, with the reason.
 */
export interface Source {
  readonly kind: SnapshotManifest.TargetKind
  readonly name: string
  readonly source: string
  readonly path: string
  readonly without?: ReadonlyArray<SnapshotManifest.Skipped>
}

/** A target as it was taken, and how many of its objects were sent and how many were there already. */
export interface Taken {
  readonly target: SnapshotManifest.SnapshotTarget
  readonly sent: number
  readonly reused: number
}

type Failure = Durable.FileFailed | ObjectStoreError | ObjectExists | SourceUnstable

const tries = 4
const parallel = 8

const look = (path: string) => Durable.attempt("look at", path, () => Fs.lstat(path, { bigint: true }))

/** Cuts a file back to its last whole line. */
const cutToLastLine = (path: string): Effect.Effect<void, Durable.FileFailed> =>
  Effect.gen(function* () {
    const { size } = yield* Durable.attempt("look at", path, () => Fs.stat(path))
    const file = Bun.file(path)
    for (let end = size; end > 0; end -= 65_536) {
      const start = Math.max(0, end - 65_536)
      const bytes = yield* Durable.attempt("read", path, () => file.slice(start, end).bytes())
      const newline = bytes.lastIndexOf(10)
      if (newline >= 0) return yield* Durable.attempt("cut", path, () => Fs.truncate(path, start + newline + 1))
    }
    yield* Durable.attempt("cut", path, () => Fs.truncate(path, 0))
  })

/** A snapshot that is being taken. `there` are the keys of its objects that were there before, or were sent since. */
interface Taking {
  readonly store: Store
  readonly snapshot: string
  readonly scratch: string
  readonly there: Set<string>
}

/** Whether the store has bytes already; what it has under their name is read and compared. */
const isThere = ({ snapshot, store, there }: Taking, { sha256 }: Durable.FileDigest) =>
  Effect.gen(function* () {
    const key = SnapshotManifest.objectKey(snapshot, sha256)
    if (!there.has(key)) return false
    const found = yield* store.info(key)
    if (Option.isSome(found) && found.value.sha256 !== sha256) {
      return yield* new ObjectExists({ location: store.location, key })
    }
    return Option.isSome(found)
  })

/** Sends bytes that nobody else writes to, unless the store has them. True when they were sent. */
const send = (taking: Taking, path: string, digest: Durable.FileDigest) =>
  Effect.gen(function* () {
    if (yield* isThere(taking, digest)) return false
    const key = SnapshotManifest.objectKey(taking.snapshot, digest.sha256)
    yield* taking.store.putFile(key, path)
    taking.there.add(key)
    return true
  })

/** Runs with the name of a file in the scratch folder that is removed afterwards. */
const withStaged = <A, E>(scratch: string, use: (staged: string) => Effect.Effect<A, E>) => {
  const staged = join(scratch, `stage-${crypto.randomUUID()}`)
  return use(staged).pipe(
    Effect.ensuring(Effect.ignore(Durable.attempt("remove", staged, () => Fs.rm(staged, { force: true })))),
  )
}

/** A ledger segment grows while it is read: all whole lines up to a moment are taken. */
const takeLines = (taking: Taking, path: string) =>
  withStaged(taking.scratch, (staged) =>
    Effect.gen(function* () {
      yield* Durable.copyFileForNow(path, staged)
      yield* cutToLastLine(staged)
      const digest = yield* Durable.digestFile(staged)
      return { digest, sent: yield* send(taking, staged, digest) }
    }),
  )

/** Any other file must be the same before and after it was read; else it is read again. */
const takeWhole = (
  taking: Taking,
  path: string,
): Effect.Effect<{ readonly digest: Durable.FileDigest; readonly sent: boolean }, Failure> =>
  Effect.gen(function* () {
    for (let count = 0; count < tries; count++) {
      const before = yield* look(path)
      const digest = yield* Durable.digestFile(path)
      const result = (yield* isThere(taking, digest))
        ? { digest, sent: false }
        : yield* withStaged(taking.scratch, (staged) =>
            Effect.gen(function* () {
              const copied = yield* Durable.copyFileForNow(path, staged)
              if (copied.sha256 !== digest.sha256) return undefined
              return { digest, sent: yield* send(taking, staged, digest) }
            }),
          )
      const after = yield* look(path)
      const same = before.ino === after.ino && before.size === after.size && before.mtimeNs === after.mtimeNs
      if (result !== undefined && same && before.ctimeNs === after.ctimeNs) return result
    }
    return yield* new SourceUnstable({ path, tries })
  })

const takeFile = (taking: Taking, source: Source, path: string) =>
  Effect.gen(function* () {
    const full = join(source.path, path)
    const stat = yield* Durable.attempt("look at", full, () => Fs.lstat(full))
    const grows = source.kind === "ledger" && path.endsWith(".ndjson")
    const { digest, sent } = yield* (grows ? takeLines : takeWhole)(taking, full)
    const file: SnapshotManifest.SnapshotFile = {
      path,
      ...digest,
      mode: stat.mode & 0o777,
      mtime: Math.floor(stat.mtimeMs),
    }
    return { file, sent }
  })

/** What lies in a source's folder, and what of it is left out, paths relative to it. */
const treeOf = (source: Source) =>
  Effect.gen(function* () {
    const left: Array<SnapshotManifest.Skipped> = []
    for (const { path, reason } of source.without ?? []) {
      const real = yield* Durable.attempt("follow", path, () => Fs.realpath(path)).pipe(
        Effect.orElseSucceed(() => path),
      )
      for (const one of new Set([path, real])) left.push({ path: relative(source.path, one), reason })
    }
    const kept = (path: string) => !left.some((one) => path === one.path || path.startsWith(`${one.path}/`))
    const tree = yield* FolderTree.walk(source.path)
    const there = new Set([
      ...tree.files,
      ...tree.folders.map(({ path }) => path),
      ...tree.links.map(({ path }) => path),
    ])
    const others = tree.others
      .filter(kept)
      .map((path) => ({ path, reason: "it is neither a file, a folder nor a link" }))
    return {
      files: tree.files.filter(kept),
      folders: tree.folders.filter(({ path }) => kept(path)),
      links: tree.links.filter(({ path }) => kept(path)),
      skipped: [...left.filter(({ path }) => there.has(path)), ...others],
    }
  })

/**
 * Takes a folder into a store: every file by its digest, eight at a time; objects that are there already are not sent
 * again. Links are recorded, not followed; what the source leaves out is listed as skipped. Of a ledger the streams outside `runs/` are taken first, so that what they
 * say of runs is in the runs' streams. `scratch` is an existing folder; `onFile` is told after each file.
 */
export const take = (
  store: Store,
  snapshot: string,
  source: Source,
  scratch: string,
  onFile: (bytes: number) => Effect.Effect<void>,
): Effect.Effect<Taken, Failure> =>
  Effect.gen(function* () {
    const there = new Set(yield* store.list(SnapshotManifest.objectsPrefix(snapshot)))
    const taking: Taking = { store, snapshot, scratch, there }
    const tree = yield* treeOf(source)
    const isFirst = (path: string) => source.kind === "ledger" && !path.startsWith("runs/")
    const takeAll = (paths: ReadonlyArray<string>) =>
      Effect.forEach(
        paths,
        (path) => takeFile(taking, source, path).pipe(Effect.tap(({ file }) => onFile(file.bytes))),
        { concurrency: parallel },
      )
    const first = yield* takeAll(tree.files.filter(isFirst))
    const rest = yield* treeOf(source)
    const taken = [...first, ...(yield* takeAll(rest.files.filter((path) => !isFirst(path))))]
    const sent = taken.filter((one) => one.sent).length
    return {
      target: {
        kind: source.kind,
        name: source.name,
        source: source.source,
        files: taken.map((one) => one.file).toSorted((x, y) => (x.path < y.path ? -1 : 1)),
        folders: rest.folders,
        links: rest.links,
        skipped: rest.skipped,
      },
      sent,
      reused: taken.length - sent,
    }
  })

import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as Checkpoint from "./checkpoint.ts"
import * as StreamName from "./stream-name.ts"

/** What is to be verified is not there, is no ledger, or cannot be read. */
export class LedgerUnreadable extends Schema.TaggedError<LedgerUnreadable>()("LedgerUnreadable", {
  path: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `There is no ledger to read at ${this.path}: ${this.reason}`
  }
}

/** The files of a ledger, as they were when they were listed. */
export interface LedgerFiles {
  readonly folder: string
  /** Stream name and path of each run, oldest first. */
  readonly runs: ReadonlyArray<{ readonly stream: string; readonly path: string }>
}

const failed = (path: string) => (error: { readonly message: string }) =>
  new LedgerUnreadable({ path, reason: error.message })

/** The ledger's folder at a path: the folder itself, or `ledger/` below it. */
export const locate = Effect.fnUntraced(function* (target: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  for (const folder of [target, path.join(target, "ledger")]) {
    for (const name of ["root.ndjson", "system.ndjson", "runs"]) {
      if (yield* fs.exists(path.join(folder, name)).pipe(Effect.mapError(failed(target)))) return folder
    }
  }
  const reason = "it has neither root.ndjson nor runs/. Name a ledger folder, a file of events, or an exported run"
  return yield* new LedgerUnreadable({ path: target, reason })
})

/** Bytes of a file; undefined when there is none. */
export const bytesOf = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFile(file).pipe(
    Effect.catchReason("PlatformError", "NotFound", () => Effect.undefined),
    Effect.mapError(failed(file)),
  )
})

/** Bytes of `root` or `system`. */
export const stream = Effect.fnUntraced(function* (folder: string, name: string) {
  const path = yield* Path.Path
  return yield* bytesOf(path.join(folder, StreamName.segmentPath(name)))
})

/** The run files of a ledger. */
export const runs = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const below = path.join(folder, "runs")
  if (!(yield* fs.exists(below).pipe(Effect.mapError(failed(below))))) return []
  const names = yield* fs.readDirectory(below, { recursive: true }).pipe(Effect.mapError(failed(below)))
  return names
    .filter((name) => name.endsWith(".ndjson"))
    .map((name) => ({ stream: StreamName.ofRun(path.basename(name, ".ndjson")), path: path.join(below, name) }))
    .toSorted((a, b) => (a.stream < b.stream ? -1 : 1))
})

/** The checkpoints of a ledger with their texts, smallest first. */
export const checkpoints = Effect.fnUntraced(function* (folder: string) {
  const files = yield* Checkpoint.list(folder).pipe(Effect.mapError(failed(folder)))
  const texts: Array<{ readonly name: string; readonly size: number; readonly text: string }> = []
  for (const { name, path, size } of files) {
    const bytes = yield* bytesOf(path)
    if (bytes !== undefined) texts.push({ name, size, text: new TextDecoder().decode(bytes) })
  }
  return texts
})

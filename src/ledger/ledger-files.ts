import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Checkpoint from "./checkpoint.ts"
import * as StreamName from "./stream-name.ts"
import type { Stray } from "./verify-report.ts"

/** What is to be verified is not there, is no ledger, or cannot be read. */
export class LedgerUnreadable extends Schema.TaggedError<LedgerUnreadable>()("LedgerUnreadable", {
  path: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `There is no ledger to read at ${this.path}: ${this.reason}`
  }
}

/** The event files of a ledger, as they were when they were listed. */
export interface EventFiles {
  /** Stream name and path of each environment's schedules. */
  readonly schedules: ReadonlyArray<{ readonly stream: string; readonly path: string }>
  /** Stream name and path of each run, oldest first. */
  readonly runs: ReadonlyArray<{ readonly stream: string; readonly path: string }>
  readonly strays: ReadonlyArray<Stray>
}

/** Why the operating system refused, in plain words. */
export const plainReason = (error: PlatformError): string => {
  if (error.reason._tag === "NotFound")
    return "nothing is there. Name a ledger folder, a file of events, or an exported run"
  return error.reason._tag === "PermissionDenied" ? "you may not read it" : error.message
}

const failed = (path: string) => (error: PlatformError) => new LedgerUnreadable({ path, reason: plainReason(error) })

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

/** A file of events that is not at its place; undefined for what is, and for what is no such file. */
const strayOf = (name: string): Stray | undefined => {
  if (!name.endsWith(".ndjson") || name === "root.ndjson" || name === "system.ndjson") return undefined
  if (StreamName.runAt(name) !== undefined || StreamName.schedulesAt(name) !== undefined) return undefined
  const run = StreamName.runOfFile(name)
  if (run === undefined) return { path: name, reason: "it is no stream's file" }
  return {
    path: name,
    reason: `run ${run} lies at ${StreamName.segmentPath(StreamName.ofRun(run))}; this is a copy, or was moved`,
  }
}

/** The files of a ledger's runs and schedules, and the files of events that are not part of it. */
export const events = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const all = yield* fs.readDirectory(folder, { recursive: true }).pipe(Effect.mapError(failed(folder)))
  const names = all.toSorted()
  const files: EventFiles = {
    schedules: names.flatMap((name) => {
      const stream = StreamName.schedulesAt(name)
      return stream === undefined ? [] : [{ stream, path: path.join(folder, name) }]
    }),
    runs: names.flatMap((name) => {
      const run = StreamName.runAt(name)
      return run === undefined ? [] : [{ stream: StreamName.ofRun(run), path: path.join(folder, name) }]
    }),
    strays: names.flatMap((name) => strayOf(name) ?? []),
  }
  return files
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

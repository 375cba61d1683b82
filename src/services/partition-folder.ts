import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"

/** How long who places a partition waits for a purge that looks at it, milliseconds. */
const patience = 60_000

/**
 * Refusals of a file system that has no locks: a purge on this machine cannot have one there either, and removes nothing. And
 * of a folder that this user may not look into: what is there to be done in it fails by itself.
 */
const lockless = new Set(["EBADF", "EINVAL", "EISDIR", "ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EACCES"])

const isMissing = (error: { readonly _tag: string }) => "code" in error && error.code === "ENOENT"

/**
 * Makes a partition's folder and holds it until the scope closes: no purge removes it, and nobody else places something in
 * it. A purge may remove the folder, and empty ones above it, while it is being made: then it is made again.
 */
export const hold = (
  folder: string,
): Effect.Effect<void, Durable.FileFailed | FileLock.LockBusy | FileLock.LockFailed, Scope.Scope> =>
  Durable.makeFolderDurably(folder).pipe(
    Effect.andThen(FileLock.patiently(FileLock.acquireFolder(folder, "exclusive"), patience)),
    Effect.retry({ while: isMissing, schedule: Schedule.max([Schedule.spaced(5), Schedule.recurs(200)]) }),
    Effect.catchIf(
      (error) => error._tag === "LockFailed" && lockless.has(error.code),
      () => Effect.void,
    ),
    Effect.asVoid,
  )

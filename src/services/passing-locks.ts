import { closeSync, fstatSync, linkSync, statSync, unlinkSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as FileLock from "./file-lock.ts"

/**
 * Exclusive locks of things that come and go. Making and removing a file for each can take longer than all else that a
 * lock needs, so the file of a lock that has no more use becomes, under another name, that of the next one.
 */
export interface PassingLocks {
  /** As `FileLock.acquire`. */
  readonly acquire: (
    path: string,
  ) => Effect.Effect<FileLock.HeldLock, FileLock.LockBusy | FileLock.LockFailed, Scope.Scope>
  /** Says that a lock has no more use, or will have none once it is free. */
  readonly retire: (path: string) => Effect.Effect<void>
}

/** A lock file without use, open and free. */
interface Spare {
  readonly fd: number
  readonly path: string
}

/** Takes a spare's lock again, under another name that nothing has yet; undefined where that cannot be. */
const renamed = ({ fd, path: from }: Spare, path: string): number | undefined => {
  try {
    if (FileLock.flock(fd) === 0) {
      linkSync(from, path)
      unlinkSync(from)
      if (statSync(path).ino === fstatSync(fd).ino) return fd
    }
  } catch {
    // Then a lock is made as usual.
  }
  discard({ fd, path: from })
  return undefined
}

const discard = ({ fd, path }: Spare): void => {
  FileLock.forget(path)
  closeSync(fd)
}

/** Passing locks; a file that is spare when the scope closes is removed. */
export const make: Effect.Effect<PassingLocks, never, Scope.Scope> = Effect.gen(function* () {
  let spare: Spare | undefined
  const held = new Set<string>()
  const retired = new Set<string>()
  yield* Effect.addFinalizer(() => Effect.ignore(Effect.try(() => spare !== undefined && discard(spare))))
  const take = (path: string) =>
    Effect.suspend(() => {
      const kept = spare
      spare = undefined
      const fd = kept === undefined ? undefined : renamed(kept, path)
      return fd === undefined ? FileLock.take(path) : Effect.succeed(fd)
    })
  const release = (fd: number, path: string) => {
    held.delete(path)
    if (!retired.delete(path)) return closeSync(fd)
    if (spare !== undefined || !FileLock.unlock(fd)) return discard({ fd, path })
    spare = { fd, path }
  }
  return {
    acquire: (path) =>
      Effect.acquireRelease(
        Effect.tap(take(path), () => Effect.sync(() => held.add(path))),
        (fd) => Effect.ignore(Effect.try(() => release(fd, path))),
      ).pipe(Effect.as({ path })),
    retire: (path) =>
      Effect.ignore(Effect.try(() => (held.has(path) ? void retired.add(path) : FileLock.forget(path)))),
  }
})

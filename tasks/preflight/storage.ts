import * as Fs from "node:fs/promises"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { roots } from "../../src/domain/config/storage.ts"
import { formatSize } from "../../src/domain/quantity.ts"
import * as Digest from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as Folders from "../../src/services/config-doctor-folders.ts"
import { ok } from "../../src/services/config-finding.ts"
import * as Durable from "../../src/services/durable-files.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { bucket } from "./connections.ts"
import type { Finding } from "./schema.ts"

const wrong = (what: string, fix: string): Finding => ({ section: "storage", level: "error", what, fix })

/** Puts a small object into a folder's store, reads it back, and takes it away again. The attempt's own key. */
const probe = Effect.fnUntraced(function* (key: string, folder: string) {
  const name = `.preflight-${Digest.of((yield* Attempt).idempotencyKey).slice(0, 16)}`
  const bytes = new TextEncoder().encode(`${name}\n`)
  const store = yield* (yield* ObjectStore).open(folder)
  const read = yield* Effect.acquireUseRelease(
    store.put(name, bytes),
    () => store.get(name),
    () => Effect.ignore(Durable.removeFileDurably(join(folder, name))),
  )
  return Buffer.compare(read, bytes) === 0
    ? ok("storage", `${key}: ${folder} keeps what is written to it`)
    : wrong(
        `${key}: ${folder} gives other bytes than were written to it`,
        "check its disk; do not trust it with new data",
      )
})

/** A folder: that it is there, and where `write` says so that it keeps what is put into it. */
const folderOf = Effect.fnUntraced(function* (key: string, configured: string, write: boolean) {
  const { project } = yield* Workspace
  const found = yield* Folders.root(project, key, configured)
  if (found.level !== "ok" || !write) return found
  return yield* probe(key, resolve(project, configured)).pipe(
    Effect.catch(({ message }) => Effect.succeed(wrong(`${key}: ${message}`, `mend that, or change ${key}`))),
  )
})

/**
 * A location of `offsite`. A folder is probed as a root is. A bucket is only asked for an object that need not be there,
 * through the object store's port: a HEAD, which wants the way, the credentials and the bucket.
 */
const locationOf = Effect.fnUntraced(function* (key: string, location: string, write: boolean) {
  if (location.startsWith("file:")) return yield* folderOf(key, fileURLToPath(location), write)
  const asked = yield* Effect.flatMap(ObjectStore, (stores) => stores.open(location)).pipe(
    Effect.flatMap((store) => store.info("preflight")),
    Effect.result,
  )
  if (Result.isSuccess(asked)) return ok("storage", `${key}: the store answers`)
  const fix = "correct the location and the credentials, or open the way to it"
  return wrong(`${key}: ${asked.failure.message}`, fix)
})

/** Write-once records are not disturbed by probes: their places are only looked at. */
const isWritten = (key: string): boolean => key !== "worm_root" && key !== "offsite.worm_location"

/** The roots, and what leaves the machine. */
export const storage = Effect.gen(function* () {
  const section = (yield* Settings).sections.storage
  const local = yield* Effect.forEach(roots(section), ([key, path]) => folderOf(key, path, isWritten(key)))
  const { offsite } = section
  if (offsite === undefined) return local
  const away = yield* Effect.matchEffect(bucket, {
    onFailure: Effect.succeed,
    onSuccess: (location) => locationOf("offsite.bucket", location ?? "", true),
  })
  return [...local, away, yield* locationOf("offsite.worm_location", offsite.worm_location, false)]
})

/** That so many bytes are free where models are published and where backups go. */
export const space = Effect.fnUntraced(function* (bytes: number) {
  const { project } = yield* Workspace
  const section = (yield* Settings).sections.storage
  return yield* Effect.forEach(["models_root", "backups_root"] as const, (key) =>
    Effect.gen(function* () {
      const folder = yield* Folders.existing(resolve(project, section[key]))
      const { bavail, bsize } = yield* Durable.attempt("measure", folder, () => Fs.statfs(folder))
      const free = bavail * bsize
      const what = `${key}: ${formatSize(free)} are free`
      if (free >= bytes) return ok("storage", what)
      return wrong(
        `${what}, ${formatSize(bytes)} are needed`,
        `free some space at ${folder}, or put ${key} on a larger disk`,
      )
    }).pipe(Effect.catch(({ message }) => Effect.succeed(wrong(`${key}: ${message}`, `mend that, or change ${key}`)))),
  )
})

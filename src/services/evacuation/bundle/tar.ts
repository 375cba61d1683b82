import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Collected } from "../../../domain/collected.ts"
import { bundleFiles } from "../../../domain/bundle.ts"
import { newest } from "../../../domain/bundle-content.ts"
import { PackedTar, type TarredCapture } from "../../../domain/packed-tar.ts"
import type { Sha256 } from "../../../domain/sha256.ts"
import * as TarFormat from "../../../domain/tar.ts"
import * as Durable from "../../durable-files.ts"
import { addLines, readLines, type IncidentFolder } from "../incident/incidents.ts"

/** A capture is no longer what was captured, or cannot be read: it goes into no tar. */
class CaptureAltered extends Schema.TaggedError<CaptureAltered>()("CaptureAltered", { path: Schema.String }) {}

const folderOf = ({ path }: IncidentFolder) => join(path, "bundles")
const listName = "bundles/tars.ndjson"
const byPath = (a: TarredCapture, b: TarredCapture) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))

/** The name of the tar that so many come before: `evidence.tar`, `evidence-2.tar`, … */
const nameAfter = (earlier: number): string =>
  earlier === 0 ? bundleFiles.tar : bundleFiles.tar.replace(".", `-${earlier + 1}.`)

/** The tars of an incident, in order. */
export const list = ({ path }: IncidentFolder): Effect.Effect<ReadonlyArray<PackedTar>, Durable.FileFailed> =>
  readLines(path, listName, PackedTar)

/** The captures that were taken, also in part, and are in no tar yet, by path. */
const waiting = (lines: ReadonlyArray<Collected>, tars: ReadonlyArray<PackedTar>): ReadonlyArray<TarredCapture> => {
  const packed = new Set(tars.flatMap(({ members }) => members.map(({ path }) => path)))
  return newest(lines)
    .flatMap(({ bytes, collector, ended, outcome, path, sha256 }) =>
      outcome !== "skipped" && path !== undefined && sha256 !== undefined && !packed.has(path)
        ? [{ collector, path, bytes, sha256, mtime: ended }]
        : [],
    )
    .toSorted(byPath)
}

type Write = (chunk: Uint8Array) => Effect.Effect<void, Durable.FileFailed>

/** Writes a capture behind its header; fails where its bytes are not those that the header speaks of. */
const writeCapture = (
  folder: IncidentFolder,
  capture: TarredCapture,
  write: Write,
): Effect.Effect<void, CaptureAltered | Durable.FileFailed> =>
  Effect.gen(function* () {
    const altered = new CaptureAltered({ path: capture.path })
    const source = join(folder.path, capture.path)
    let written = 0
    yield* write(TarFormat.headerOf({ ...capture, mtime: Math.floor(capture.mtime / 1000) }))
    const take = (chunk: Uint8Array): Effect.Effect<void, CaptureAltered | Durable.FileFailed> => {
      written += chunk.length
      return written > capture.bytes ? Effect.fail(altered) : write(chunk)
    }
    const found = yield* Durable.digestWhile(source, take).pipe(
      Effect.mapError((error) => (error._tag === "FileFailed" && error.path === source ? altered : error)),
    )
    if (found.bytes !== capture.bytes || found.sha256 !== capture.sha256) return yield* altered
    yield* write(TarFormat.paddingAfter(capture.bytes))
  })

/** What a tar is called until it is listed: nobody takes it for one before. */
const unlisted = (tar: string) => `${tar}.new`

/** Writes the tar whole or not at all, without the captures that are no longer what was captured. */
const writeTar = (
  folder: IncidentFolder,
  tar: string,
  members: ReadonlyArray<TarredCapture>,
): Effect.Effect<Option.Option<PackedTar>, Durable.FileFailed> => {
  if (members.length === 0) return Effect.succeedNone
  return Durable.fillNewFileDurably(join(folderOf(folder), unlisted(tar)), (write) =>
    Effect.gen(function* () {
      const hasher = new Bun.CryptoHasher("sha256")
      let bytes = 0
      const writeOn: Write = (chunk) => {
        hasher.update(chunk)
        bytes += chunk.length
        return write(chunk)
      }
      for (const member of members) yield* writeCapture(folder, member, writeOn)
      yield* writeOn(TarFormat.endAfter(bytes))
      return { tar, bytes, sha256: hasher.digest("hex") as Sha256, members } satisfies PackedTar
    }),
  ).pipe(
    Effect.asSome,
    Effect.catchTag("CaptureAltered", ({ path }) =>
      writeTar(
        folder,
        tar,
        members.filter((member) => member.path !== path),
      ),
    ),
  )
}

/** Does nothing where there is no such file. */
const ifThere = <A>(effect: Effect.Effect<A, Durable.FileFailed>): Effect.Effect<void, Durable.FileFailed> =>
  effect.pipe(
    Effect.asVoid,
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.void,
    ),
  )

/** Removes what a crash left of a tar that was being written. */
const clear = Effect.fnUntraced(function* (path: string) {
  const names = yield* Durable.attempt("list", path, () => Fs.readdir(path)).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed([]),
    ),
  )
  for (const name of names.filter((found) => /^\.evidence.*\.tmp$/.test(found)))
    yield* Durable.removeFileDurably(join(path, name))
})

/**
 * Packs the captures that are in no tar yet into the incident's next one (pax format, IEEE Std 1003.1), whole or not at
 * all; durable, and listed in `bundles/tars.ndjson`, on return. A capture that is no longer what was captured is left out.
 * Where there is none to pack, nothing is made.
 */
export const pack = Effect.fn("Tar.pack")(function* (folder: IncidentFolder) {
  const at = (name: string) => join(folderOf(folder), name)
  const name = (tar: string) => Durable.renameDurably(at(unlisted(tar)), at(tar))
  yield* clear(folderOf(folder))
  const tars = yield* list(folder)
  // A crash may have left the last one listed and without its name.
  for (const { tar } of tars.slice(-1)) yield* ifThere(name(tar))
  const members = waiting(yield* readLines(folder.path, "collected.ndjson", Collected), tars)
  if (members.length === 0) return
  yield* Durable.makeFolderDurably(folderOf(folder), { mode: 0o700 })
  const tar = nameAfter(tars.length)
  yield* ifThere(Durable.removeFileDurably(at(unlisted(tar))))
  const packed = yield* writeTar(folder, tar, members)
  if (Option.isNone(packed)) return
  yield* addLines(folder.path, listName, [packed.value])
  yield* name(tar)
})

import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Durable from "../../durable-files.ts"

/** No place of this machine takes the evacuation's own records. */
export class NoHome extends Schema.TaggedError<NoHome>()("NoHome", {
  tried: Schema.Array(Schema.Struct({ path: Schema.String, reason: Schema.String })),
}) {
  readonly exitCode = 74
  override get message() {
    const tried = this.tried.map(({ path, reason }) => `\n  ${path}: ${reason}`).join("")
    return `The evacuation can write its records nowhere on this machine; free some space, or mount a disk and name it by TMPDIR:${tried}`
  }
}

/** What the records of an evacuation take at least, in bytes: ledger, captures, reports. */
const leastBytes = 16 * 2 ** 20

/** Where an evacuation's records may lie, the best place first: beside the project's, then outside of it. */
export const places = (projectHome: string): ReadonlyArray<string> => {
  const name = `dandori-evacuation-${process.getuid?.() ?? 0}`
  return [join(projectHome, "evacuation"), join(tmpdir(), name), join("/var/tmp", name), join("/dev/shm", name)]
}

const refused = (path: string, reason: string) =>
  new Durable.FileFailed({ path, operation: "use", code: "EPERM", reason })

/** Makes the folder, for its owner only, and sees whether it keeps bytes. */
const tryPlace = (path: string): Effect.Effect<void, Durable.FileFailed> =>
  Effect.gen(function* () {
    yield* Durable.attempt("make the folder", path, () => Fs.mkdir(path, { recursive: true, mode: 0o700 }))
    const stat = yield* Durable.attempt("look at", path, () => Fs.lstat(path))
    if (!stat.isDirectory() || stat.uid !== process.getuid?.())
      return yield* refused(path, "it belongs to somebody else")
    yield* Durable.attempt("close to others", path, () => Fs.chmod(path, 0o700))
    const room = yield* Durable.attempt("look at", path, () => Fs.statfs(path))
    if (room.bavail * room.bsize < leastBytes) return yield* refused(path, "the disk has less than 16 MiB left")
    const probe = join(path, `probe-${process.pid}`)
    yield* Durable.writeFileDurably(probe, "x".repeat(65_536))
    yield* Durable.removeFileDurably(probe)
  })

const folderOf = (path: string, incident: string) => join(path, "incidents", incident)

/** When the incident was called here last, in milliseconds since the epoch; undefined where it is not. */
const lastCall = (path: string, incident: string): Effect.Effect<number | undefined> =>
  Durable.attempt("look at", path, () =>
    Fs.stat(join(folderOf(path, incident), "incident.json")).then(() =>
      Fs.stat(join(folderOf(path, incident), "call.json")).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  ).pipe(Effect.orElseSucceed(() => undefined))

/**
 * Takes what is known of an incident along to another place: it stays one incident, with its captures, its snapshot and
 * what was confirmed. What an earlier call left of it there is kept beside it. Durable on return.
 */
const carry = Effect.fn("Home.carry")(function* (incident: string, from: string, to: string) {
  const incidents = join(to, "incidents")
  const [target, made] = [folderOf(to, incident), join(incidents, `.${incident}.carried`)]
  yield* Durable.makeFolderDurably(incidents, { mode: 0o700 })
  yield* Durable.attempt("clear", made, () => Fs.rm(made, { recursive: true, force: true }))
  yield* Durable.attempt("copy", made, () =>
    Fs.cp(folderOf(from, incident), made, { recursive: true, preserveTimestamps: true }),
  )
  const names = yield* Durable.attempt("list", made, () => Fs.readdir(made, { recursive: true, withFileTypes: true }))
  for (const entry of names) yield* Durable.fsyncFile(join(entry.parentPath, entry.name))
  yield* Durable.fsyncFile(made)
  const before = yield* lastCall(to, incident)
  if (before !== undefined) yield* Durable.renameDurably(target, join(incidents, `.${incident}.${Math.round(before)}`))
  yield* Durable.renameDurably(made, target)
})

/** A home for the records of an evacuation, and the better places that would not do. */
export interface Home {
  readonly path: string
  readonly refused: ReadonlyArray<{ readonly path: string; readonly reason: string }>
}

/**
 * The place where the incident lies already, the one of its newest call first, else the first that takes a file durably.
 * Where the incident's own takes no more, what is known of it is taken along. `problemOf` says why a place that takes files
 * would not do all the same: what an earlier evacuation left there is damaged.
 */
export const choose = Effect.fn("Home.choose")(function* (
  projectHome: string,
  incident: string | undefined,
  problemOf: (path: string) => Effect.Effect<string | undefined> = () => Effect.undefined,
) {
  const all = places(projectHome)
  const calls: Array<readonly [path: string, at: number]> = []
  for (const path of incident === undefined ? [] : all) {
    const at = yield* lastCall(path, incident ?? "")
    if (at !== undefined) calls.push([path, at])
  }
  const known = calls.toSorted(([, a], [, b]) => b - a).map(([path]) => path)
  const tried: Array<{ readonly path: string; readonly reason: string }> = []
  for (const path of [...known, ...all.filter((path) => !known.includes(path))]) {
    const problem =
      (yield* Effect.match(tryPlace(path), { onFailure: ({ reason }) => reason, onSuccess: () => undefined })) ??
      (yield* problemOf(path))
    if (problem !== undefined) {
      tried.push({ path, reason: problem })
      continue
    }
    const newest = known[0]
    if (incident === undefined || newest === undefined || newest === path)
      return { path, refused: tried } satisfies Home
    const lost = yield* Effect.match(carry(incident, newest, path), {
      onFailure: ({ message }) => [
        { path: newest, reason: `its records of ${incident} cannot be taken along: ${message}` },
      ],
      onSuccess: () => [],
    })
    return { path, refused: [...tried, ...lost] } satisfies Home
  }
  return yield* new NoHome({ tried })
})

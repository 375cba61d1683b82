import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Durable from "../durable-files.ts"

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

const hasIncident = (path: string, incident: string): Effect.Effect<boolean> =>
  Durable.attempt("look at", path, () => Fs.stat(join(path, "incidents", incident, "incident.json"))).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false),
  )

/** A home for the records of an evacuation, and the better places that would not do. */
export interface Home {
  readonly path: string
  readonly refused: ReadonlyArray<{ readonly path: string; readonly reason: string }>
}

/** The place where the incident lies already, else the first that takes a file durably. */
export const choose = Effect.fn("Home.choose")(function* (projectHome: string, incident: string | undefined) {
  const all = places(projectHome)
  const known: Array<string> = []
  if (incident !== undefined) {
    for (const path of all) if (yield* hasIncident(path, incident)) known.push(path)
  }
  const tried: Array<{ readonly path: string; readonly reason: string }> = []
  for (const path of [...known, ...all.filter((path) => !known.includes(path))]) {
    const problem = yield* Effect.match(tryPlace(path), {
      onFailure: ({ reason }) => reason,
      onSuccess: () => undefined,
    })
    if (problem === undefined) return { path, refused: tried } satisfies Home
    tried.push({ path, reason: problem })
  }
  return yield* new NoHome({ tried })
})

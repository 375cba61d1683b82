import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import { attempt } from "../../durable-files.ts"
import { type Capture, NothingToTake, word } from "./capture.ts"
import * as Machine from "./machine-files.ts"
import * as Mounts from "./mounts.ts"

/** A file system that is gone (a network's) does not answer. */
const patience = "2 seconds"

const room = ({ kind, point, source }: Mounts.Mount) =>
  attempt("look at", point, () => Fs.statfs(point, { bigint: true })).pipe(
    Effect.timeout(patience),
    Effect.map(({ bavail, bfree, blocks, bsize, ffree, files }) => {
      const used = blocks - bfree
      const usable = used + bavail
      // As df: rounded up, of what this user can have.
      const share = usable === 0n ? "-" : `${(used * 100n + usable - 1n) / usable}%`
      const kib = (count: bigint) => (count * bsize) / 1024n
      return [
        word(source),
        kind,
        kib(blocks),
        kib(used),
        kib(bavail),
        share,
        files,
        files - ffree,
        ffree,
        word(point),
      ].join("\t")
    }),
    Effect.catch((error) =>
      Effect.succeed(
        [word(source), kind, "-", "-", "-", "-", "-", "-", "-", word(point), `# ${error.message}`].join("\t"),
      ),
    ),
  )

/** The room and the inodes of every mount, and what the disks did. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    const text = yield* Machine.read("/proc/self/mountinfo")
    if (text === undefined)
      return yield* new NothingToTake({ reason: "there is no /proc/self/mountinfo on this machine" })
    lines.add(
      [
        "source",
        "type",
        "size_kib",
        "used_kib",
        "available_kib",
        "used",
        "inodes",
        "inodes_used",
        "inodes_free",
        "mounted_on",
      ].join("\t"),
    )
    for (const line of yield* Effect.forEach(Mounts.parse(text), room, { concurrency: 16 })) lines.add(line)
    yield* Machine.addAll(lines, ["/proc/diskstats", "/proc/mdstat"])
  })

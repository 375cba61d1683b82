import { constants } from "node:fs"
import { access, open, rm, stat, statfs } from "node:fs/promises"
import { arch, cpus, platform, totalmem } from "node:os"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { engines } from "../../package.json"
import { formatSize } from "../domain/quantity.ts"
import { Ledger } from "../ledger/ledger.ts"
import { existing } from "../services/config-doctor-folders.ts"
import type { Finding, Level } from "../services/config-finding.ts"
import * as Durable from "../services/durable-files.ts"
import { exitCodes } from "./exit-code.ts"
import * as Findings from "./findings.ts"
import * as Hint from "./hint.ts"
import { count } from "./plain-text.ts"
import * as LedgerPlace from "./ledger-place.ts"
import * as Readers from "./project-readers.ts"

const finding = (section: string, level: Level, what: string, fix = ""): Finding => ({ section, level, what, fix })
const errorOf = (section: string, fix: string) => (error: Durable.FileFailed) =>
  Effect.succeed(finding(section, "error", error.message, fix))

const there = (path: string) => Effect.map(existing(path), (found) => found === path)

const runtime: Effect.Effect<Finding> = Effect.sync(() => {
  const what = `bun ${Bun.version} on ${platform()} ${arch()}, ${count(cpus().length, "core", "cores")}, ${formatSize(totalmem())}`
  return Bun.semver.satisfies(Bun.version, engines.bun)
    ? finding("runtime", "ok", what)
    : finding("runtime", "error", `${what}; bun ${engines.bun} is needed`, "install it: npm install --global bun")
})

/** File systems, by their magic numbers (linux/magic.h), where `flock` and a flush do not mean what the ledger needs. */
const remote: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x517b, "SMB"],
  [0x00c36400, "Ceph"],
])
const tmpfs = 0x01021994
const lowSpace = 2 ** 30
const noSpace = 2 ** 26

const space = (folder: string): Effect.Effect<Finding> =>
  Durable.attempt("look at the file system of", folder, () => statfs(folder)).pipe(
    Effect.map(({ type, bavail, bsize }) => {
      const free = bavail * bsize
      const what = `${formatSize(free)} free in ${folder}`
      const name = remote.get(type >>> 0)
      if (name !== undefined) {
        return finding(
          "disk",
          "error",
          `${what}, which is on ${name}`,
          "put the home on a local disk: set DANDORI_HOME",
        )
      }
      if (free < noSpace)
        return finding("disk", "error", what, "free space: the ledger cannot be written on a full disk")
      if (free < lowSpace) return finding("disk", "warning", what, "free space soon")
      if (type === tmpfs)
        return finding("disk", "warning", `${what}, which is memory`, "use a disk: it is lost at a restart")
      return finding("disk", "ok", what)
    }),
    Effect.catch(errorOf("disk", "give this user the right to read it")),
  )

const flushes = 20
const slowMillis = 25

/** Times of `fdatasync` after a write of 4 KiB at the end of a file, in milliseconds, ascending. */
const flushTimes = (folder: string) => {
  const path = join(folder, `.doctor-${crypto.randomUUID()}`)
  return Durable.attempt("write and flush", path, async () => {
    const file = await open(path, "ax", 0o600)
    const times: Array<number> = []
    const block = new Uint8Array(4096)
    for (let i = 0; i < flushes; i++) {
      await file.write(block)
      const began = performance.now()
      await file.datasync()
      times.push(performance.now() - began)
    }
    await file.close()
    return times.toSorted((a, b) => a - b)
  }).pipe(Effect.ensuring(Effect.ignore(Durable.attempt("remove", path, () => rm(path, { force: true })))))
}

const flush = (folder: string): Effect.Effect<Finding> =>
  flushTimes(folder).pipe(
    Effect.map((times) => {
      const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
      const what = `fdatasync takes ${at(0.5).toFixed(2)} ms, at worst ${at(1).toFixed(2)} ms (${flushes} tries)`
      return at(0.5) > slowMillis
        ? finding("disk", "warning", `${what}: every effect waits for one`, "use a faster disk for the home")
        : finding("disk", "ok", what)
    }),
    Effect.catch(errorOf("disk", `give this user the right to write to ${folder}, or free space`)),
  )

const earliest = Date.UTC(2024, 0, 1)
/** Milliseconds that the clock may be behind the newest entry. */
const tolerance = 2_000

/** Whether the segment files can be written; undefined where there are none yet. */
const segments = Effect.fnUntraced(function* (home: string) {
  const folder = join(home, "ledger")
  if (!(yield* there(folder))) return undefined
  return yield* Durable.attempt("write to", folder, () => access(folder, constants.W_OK | constants.X_OK)).pipe(
    Effect.as(finding("ledger", "ok", `${folder} is writable`)),
    Effect.catch(errorOf("ledger", `give this user the right to write to ${folder}`)),
  )
})

const ledger = Effect.fnUntraced(function* (place: LedgerPlace.Place) {
  const hint = yield* Hint.here
  const none = finding("ledger", "ok", "there is none yet; the first run makes it")
  const inDatabase = (yield* LedgerPlace.database(place)) !== undefined
  const writable = inDatabase ? finding("ledger", "ok", "it is in PostgreSQL") : yield* segments(place.home)
  if (writable === undefined) return [none]
  const root = yield* (yield* Ledger).read("root").pipe(
    Effect.asSome,
    Effect.catchTag("StreamMissing", () => Effect.succeedNone),
    Effect.result,
  )
  if (Result.isFailure(root)) {
    const level = root.failure.exitCode === exitCodes.unavailable ? "unavailable" : "error"
    return [finding("ledger", level, root.failure.message, `look at the database: ${hint.files("config doctor")}`)]
  }
  if (Option.isNone(root.success)) return [writable]
  const { entries, fault } = root.success.value
  const chain =
    fault === undefined || fault.kind === "torn"
      ? finding("ledger", "ok", `root has ${count(entries.length, "entry", "entries")} and is whole`)
      : finding(
          "ledger",
          "error",
          `root is damaged: ${fault.reason}`,
          `look at all of it: ${hint.files("ledger verify")}`,
        )
  const last = entries.at(-1)
  const behind = last === undefined ? 0 : Date.parse(last.time) - (yield* Clock.currentTimeMillis)
  const late =
    behind > tolerance
      ? [
          finding(
            "clock",
            "error",
            `the clock is ${Math.round(behind / 1000)} s behind the ledger's newest entry (${last?.time})`,
            "set the clock; switch time synchronisation on",
          ),
        ]
      : []
  return [writable, chain, ...late]
})

const clock: Effect.Effect<Finding> = Effect.map(Clock.currentTimeMillis, (now) => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const what = `${new Date(now).toISOString()}, local zone ${zone}`
  return now < earliest
    ? finding("clock", "error", `${what}: this is in the past`, "set the clock; switch time synchronisation on")
    : finding("clock", "ok", what)
})

const key = Effect.fnUntraced(function* (home: string) {
  const path = join(home, "keys", "ledger.key")
  const found = yield* Durable.attempt("look at", path, () => stat(path)).pipe(Effect.option)
  if (Option.isSome(found)) {
    const mode = found.value.mode & 0o777
    return (mode & 0o077) === 0
      ? finding("key", "ok", `${path} is there, for this user only`)
      : finding("key", "error", `${path} has mode ${mode.toString(8)}: others may read it`, `chmod 600 "${path}"`)
  }
  return (yield* there(join(home, "keys", "ledger.pub")))
    ? finding("key", "missing", `${path} is gone, but ledger.pub beside it is there`, "put the private key back")
    : finding("key", "ok", "there is none yet; the first run makes it")
})

/** Looks at this machine and the project's home. Writes one small file there, and removes it. */
export const diagnoseMachine = Effect.gen(function* () {
  const place = yield* Readers.findOptional
  const home = Option.isSome(place) ? place.value.home : process.cwd()
  const folder = yield* existing(home)
  const machine = [yield* runtime, yield* space(folder), yield* flush(folder), yield* clock]
  const project = Option.isSome(place)
    ? [...(yield* ledger(place.value).pipe(Effect.provide(Readers.ledger(place.value)))), yield* key(home)]
    : [finding("project", "warning", `no project at ${home} or above it`, "make one: dandori init")]
  yield* Findings.report("doctor", { home }, [...machine, ...project])
})

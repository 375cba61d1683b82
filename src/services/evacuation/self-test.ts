/** What an evacuation of this machine would and would not be able to take, and where to: looked at; nothing is taken. */
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Collector, MachineFact } from "../../domain/config/evacuation.ts"
import { bad, type Finding, ok } from "../config-finding.ts"
import * as Durable from "../durable-files.ts"
import { parseLocation } from "../object-store-s3.ts"
import * as S3Client from "../s3-client.ts"
import * as RungList from "./destination/rung-list.ts"
import { collectorRoot } from "./sources/collector-root.ts"

/** What one question may take: the answer has to be there within a second. */
const patienceMillis = 700

/** What a fact of the machine is read from, where that may be missing: a file, or a program. */
const sources: Partial<Record<MachineFact, ReadonlyArray<{ readonly file?: string; readonly program?: string }>>> = {
  "kernel-log": [{ file: "/dev/kmsg" }, { program: "dmesg" }],
  journal: [{ program: "journalctl" }],
  cgroups: [{ file: "/sys/fs/cgroup" }],
  containers: [{ file: "/var/run/docker.sock" }, { file: "/run/podman/podman.sock" }],
  gpu: [{ program: "nvidia-smi" }, { program: "rocm-smi" }],
}

const readable = (path: string): Effect.Effect<string | undefined> =>
  Effect.match(
    Durable.attempt("read", path, () => Fs.access(path, Fs.constants.R_OK)),
    { onFailure: ({ code, reason }) => (code === "ENOENT" ? "it is not there" : reason), onSuccess: () => undefined },
  )

const program = (name: string): boolean => Bun.which(name) !== null

const fact = (collector: Extract<Collector, { kind: "machine" }>) =>
  Effect.gen(function* () {
    const needed = sources[collector.what]
    if (needed === undefined) return undefined
    for (const { file, program: name } of needed) {
      if (name !== undefined && program(name)) return undefined
      if (file !== undefined && (yield* readable(file)) === undefined) return undefined
    }
    return `none of ${needed.map((one) => one.file ?? one.program).join(", ")} is here`
  })

/** Why a collector would take nothing; undefined where it would take something. */
const lacking = (collector: Collector, rootOf: (root: string) => string): Effect.Effect<string | undefined> => {
  switch (collector.kind) {
    case "machine":
      return fact(collector)
    case "command":
      return Effect.succeed(program(collector.argv[0]) ? undefined : `there is no program ${collector.argv[0]}`)
    case "endpoint":
      return Effect.undefined
    case "files":
      return Effect.map(readable(rootOf(collector.root)), (reason) =>
        reason === undefined ? undefined : `${collector.root}: ${reason}`,
      )
  }
}

/** Why nothing can be made in a folder: in the nearest one that there is, a folder is made and removed again. */
const refusal = (path: string): Effect.Effect<string | undefined> =>
  Durable.attempt("write to", path, () => Fs.mkdtemp(join(path, ".dandori-probe-")).then(Fs.rmdir)).pipe(
    Effect.as(undefined),
    Effect.catch((error) => {
      const above = dirname(path)
      if (error.code !== "ENOENT" || above === path) return Effect.succeed(error.message)
      // In a folder that is there, as in /proc, it says that nothing can be made.
      return Effect.flatMap(readable(path), (missing) =>
        missing === undefined ? Effect.succeed(error.message) : refusal(above),
      )
    }),
  )

const bucket = ({ location, name, profile, s3 }: RungList.Located, place: { readonly bucket: string }) =>
  Effect.gen(function* () {
    const client = yield* S3Client.make(s3, profile === undefined ? {} : { profile })
    const asked = client.once({
      operation: "look at the bucket",
      bucket: place.bucket,
      send: (s3, http) => s3.headBucket({ Bucket: place.bucket }, http),
    })
    return yield* asked.pipe(
      Effect.timeoutOption(patienceMillis),
      Effect.match({
        onFailure: (failure) =>
          bad(
            "destination",
            failure.transient ? "unavailable" : "error",
            `${name}: ${failure.message}`,
            "mend that, or name another place: --destination",
          ),
        onSuccess: Option.match({
          onNone: () =>
            bad(
              "destination",
              "unavailable",
              `${name}: ${location} did not answer within ${patienceMillis} ms`,
              "it is tried for longer when it counts",
            ),
          onSome: () => ok("destination", `${name}: ${location} is there; nothing was written`),
        }),
      }),
    )
  }).pipe(Effect.scoped)

const rung = (given: RungList.Located | RungList.Unusable) =>
  Effect.gen(function* () {
    const elsewhere = "mend that, or name another place: --destination"
    if ("problem" in given) return bad("destination", "missing", `${given.name}: ${given.problem}`, elsewhere)
    const { location, name } = given
    const place = parseLocation(location)
    if (typeof place !== "string") return yield* bucket(given, place)
    const problem = yield* refusal(location)
    return problem === undefined
      ? ok("destination", `${name}: ${location} can be written to`)
      : bad("destination", "error", `${name}: ${problem}`, "name another place: --destination")
  })

/** The destinations in their order, all looked at at once; a bucket is asked, a folder is tried. */
export const destinations = Effect.fn("SelfTest.destinations")(function* (options: Parameters<typeof RungList.of>[0]) {
  const rungs = yield* RungList.of(options)
  const found = yield* Effect.forEach(rungs, rung, { concurrency: "unbounded" })
  if (rungs.length > 1) return found
  const what = "nothing is configured away from this machine: only the sealed folder is left"
  const fix = "set storage.offsite or evacuation.destinations, or name a place: --destination"
  return [...found, bad("destination", "missing", what, fix)]
})

/** Looks at every collector and every destination, all at once. */
export const look = Effect.fn("SelfTest.look")(function* (
  options: Parameters<typeof destinations>[0] & { readonly projectHome: string },
) {
  const { evacuation, project, projectHome } = options
  const rootOf = (root: string) => collectorRoot({ project, projectHome }, root)
  const collectors = Effect.forEach(evacuation.collectors, (collector) =>
    Effect.map(lacking(collector, rootOf), (reason): Finding =>
      reason === undefined
        ? ok("collector", `${collector.name} will be taken`)
        : bad("collector", "warning", `${collector.name} will be skipped: ${reason}`, ""),
    ),
  )
  const [taken, places] = yield* Effect.all([collectors, destinations(options)], { concurrency: "unbounded" })
  return [...taken, ...places]
})

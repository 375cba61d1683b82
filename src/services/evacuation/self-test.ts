/** What an evacuation of this machine would and would not be able to take, and where to: looked at; nothing is taken. */
import * as Fs from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Collector, EvacuationSection, MachineFact, Rung } from "../../domain/config/evacuation.ts"
import * as SecretReference from "../../domain/config/secret-reference.ts"
import type { StorageSection } from "../../domain/config/storage.ts"
import { bad, type Finding, ok } from "../config-finding.ts"
import * as Durable from "../durable-files.ts"
import { parseLocation } from "../object-store-s3.ts"
import * as S3Client from "../s3-client.ts"
import { Secrets } from "../secrets.ts"
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

const bucket = (name: string, location: string, section: StorageSection["s3"]) =>
  Effect.gen(function* () {
    const place = parseLocation(location)
    if (typeof place === "string") return bad("destination", "error", `${name}: ${location}: ${place}`, "correct it")
    const client = yield* S3Client.make(section ?? {})
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

const rung = (given: Pick<Rung, "name" | "location" | "s3">, storage: StorageSection, project: string) =>
  Effect.gen(function* () {
    const secrets = yield* Secrets
    const isReference = SecretReference.parse(given.location) !== undefined
    const resolved = isReference ? yield* Effect.result(secrets.resolve(given.location)) : undefined
    if (resolved?._tag === "Failure") {
      return bad(
        "destination",
        "missing",
        `${given.name}: ${resolved.failure.message}`,
        "set it, or name a place: --destination",
      )
    }
    const location = resolved === undefined ? given.location : Redacted.value(resolved.success)
    if (location.startsWith("s3:")) return yield* bucket(given.name, location, given.s3 ?? storage.s3)
    const problem = yield* refusal(resolve(project, location))
    return problem === undefined
      ? ok("destination", `${given.name}: ${location} can be written to`)
      : bad("destination", "error", `${given.name}: ${problem}`, "name another place: --destination")
  })

/** The destinations in their order, all looked at at once; a bucket is asked, a folder is tried. */
export const destinations = Effect.fn("SelfTest.destinations")(function* (options: {
  readonly project: string
  readonly evacuation: EvacuationSection
  readonly storage: StorageSection
  readonly destination: string | undefined
}) {
  const { destination, evacuation, project, storage } = options
  const rungs: ReadonlyArray<Pick<Rung, "name" | "location" | "s3">> = [
    ...(destination === undefined ? [] : [{ name: "destination", location: destination }]),
    ...(storage.offsite === undefined ? [] : [{ name: "offsite", location: storage.offsite.bucket }]),
    ...evacuation.destinations,
    { name: "sealed", location: evacuation.sealed },
  ]
  const found = yield* Effect.forEach(rungs, (each) => rung(each, storage, project), { concurrency: "unbounded" })
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

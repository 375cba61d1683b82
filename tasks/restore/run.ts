import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { formatDuration, parseDuration } from "../../src/domain/quantity.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as SnapshotDatabases from "../../src/services/snapshot-databases.ts"
import type { ProvedDatabase } from "../../src/services/snapshot-manifest.ts"
import { Workspace } from "../../src/services/workspace.ts"
import * as Evidence from "./evidence.ts"
import { bring, choose } from "./place.ts"
import * as Report from "./report.ts"
import type { RestoreInput, RestoreOutput } from "./schema.ts"

const limit = (name: string, millis: number, most: string | undefined) => {
  const allowed = most === undefined ? undefined : parseDuration(most)
  if (most === undefined || allowed === undefined) return []
  return [{ name, passed: millis <= allowed, observed: formatDuration(Math.round(millis)), threshold: most }]
}

/** Restores a snapshot, proves it, and measures what was lost and how long it took. */
export const run = Effect.fn("restore")(function* (input: RestoreInput) {
  const attempt = yield* Attempt
  const { folder, manifest, store } = yield* choose(input)
  yield* bring(store, manifest, folder)
  const evidence = yield* Evidence.verify(manifest, folder)
  const none: ReadonlyArray<ProvedDatabase> = []
  const databases =
    input.databases === "none"
      ? none
      : yield* SnapshotDatabases.restore(manifest.targets, folder, input.databases, attempt.scratch)

  const { runCreated } = attempt
  const lost = input.lostAt === undefined || input.lostAt === "" ? runCreated : Date.parse(input.lostAt)
  const taken = manifest.taken?.from ?? manifest.created
  const rpo = Math.max(0, lost - Date.parse(taken))
  const rto = (yield* Clock.currentTimeMillis) - runCreated
  const checks = [...limit("RPO", rpo, input.maxRpo), ...limit("RTO", rto, input.maxRto)]
  const failed = checks.filter(({ passed }) => !passed)
  const about = {
    verdict: failed.length === 0 ? ("PASSED" as const) : ("FAILED" as const),
    snapshot: manifest.snapshot,
    location: store.location,
    folder: (yield* Workspace).display(folder),
    digest: manifest.digest,
    objects: manifest.objects,
    bytes: manifest.bytes,
    taken,
    ...(manifest.transaction === undefined ? {} : { transaction: manifest.transaction }),
    head: manifest.head,
    targets: manifest.targets.map(({ files, kind, name }) => ({
      kind,
      name,
      objects: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    })),
    ...evidence,
    databases,
    left: manifest.left ?? [],
    rpoSeconds: rpo / 1_000,
    rtoSeconds: rto / 1_000,
    checks,
  }
  const output: RestoreOutput = {
    ...about,
    gate: {
      verdict: about.verdict,
      subjects: [{ name: manifest.snapshot, sha256: manifest.digest }],
      policy: {
        name: "recovery",
        sha256: CanonicalJson.digest({ maxRpo: input.maxRpo ?? null, maxRto: input.maxRto ?? null }),
      },
      reasons: failed.map(({ name, observed, threshold }) => `${name} is ${observed}, at most ${threshold} is allowed`),
      reports: yield* Report.store(about),
    },
  }
  return output
})

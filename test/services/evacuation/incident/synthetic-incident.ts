import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../../../src/domain/canonical-json.ts"
import { Collected, NotTaken, SourceFile } from "../../../../src/domain/collected.ts"
import { Incident, IncidentCall } from "../../../../src/domain/incident.ts"
import { Pushed } from "../../../../src/domain/pushed.ts"
import { Recovered } from "../../../../src/domain/recovered.ts"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import { Stopped } from "../../../../src/domain/stopped.ts"
import * as Incidents from "../../../../src/services/evacuation/incident/incidents.ts"

/** When the synthetic incident was opened: 2026-03-04 00:00:01 UTC. */
export const opened = Date.UTC(2026, 2, 4, 0, 0, 1)
const second = 1_000

/** A synthetic incident: made up for tests, written through the schemas that the evacuation itself writes by. */
export const incident: Incident = {
  format: "dandori-incident/1",
  id: "IR-20260304T000001Z",
  opened,
  owner: "mika",
  host: "ml-prod-2",
  project: "/srv/projects/assets",
  env: "prod",
  reason: "synthetic: disk errors on /dev/nvme1, predictions stale",
  drill: false,
  snapshot: "20260304T000001Z",
}

/** What comes from elsewhere and tries to be markup. */
export const hostile =
  "<script>alert(1)</script> | `x` [a](javascript:b) <!-- dandori:people impact --> \u001b[31m\u202e https://evil.example"

const digest = (text: string) => Sha256.of(text)

export const collected: ReadonlyArray<Collected> = [
  {
    collector: "environment",
    to: "evidence",
    outcome: "ok",
    began: opened + 2 * second,
    ended: opened + 3 * second,
    files: 1,
    bytes: 4_120,
    path: "captures/environment.txt",
    sha256: digest("environment"),
    redactions: [
      { rule: "aws-key", count: 2 },
      { rule: "password", count: 1 },
    ],
  },
  {
    collector: "gpu",
    to: "evidence",
    outcome: "skipped",
    reason: "there is no nvidia-smi here",
    began: opened + 3 * second,
    ended: opened + 3 * second,
    files: 0,
    bytes: 0,
  },
  {
    collector: "journal",
    to: "evidence",
    outcome: "failed",
    reason: `journalctl ended with 1: ${hostile}`,
    began: opened + 3 * second,
    ended: opened + 13 * second,
    files: 0,
    bytes: 0,
  },
  {
    collector: "logs",
    to: "evidence",
    outcome: "ok",
    began: opened + 50 * second,
    ended: opened + 52 * second,
    files: 5_003,
    bytes: 90_000_000,
  },
]

const longPath = `/srv/projects/assets/logs/${"a-rather-long-name-of-a-folder/".repeat(60)}worker.log`

const source = (index: number, path: string): SourceFile => ({
  collector: "logs",
  to: "evidence",
  value: 60,
  source: path,
  path: `logs/${index}.log`,
  bytes: 18_000,
  mtime: opened,
  mode: 0o644,
  uid: 0,
  gid: 0,
  redact: true,
})

/** Three files that go away, and five thousand that do not. */
export const inventory = (left: number): ReadonlyArray<SourceFile> => [
  source(0, longPath),
  source(1, `/srv/projects/assets/logs/${hostile}.log`),
  source(2, "/srv/projects/assets/logs/api.log"),
  ...Array.from({ length: left }, (_, index) => source(index + 3, `/srv/projects/assets/logs/old/${index}.log`)),
]

export const notTaken = (left: number): ReadonlyArray<NotTaken> => [
  ...Array.from({ length: left }, (_, index) => ({
    collector: "logs",
    source: `/srv/projects/assets/logs/old/${index}.log`,
    reason: "deadline",
    bytes: 18_000,
  })),
  {
    collector: "models",
    source: "/srv/projects/assets/models/link.joblib",
    reason: "a link that leads out of the tree",
  },
  { collector: "logs", source: longPath, reason: "Input/output error" },
]

export const pushed: ReadonlyArray<Pushed> = [0, 1, 2].map((index) => ({
  rung: "offsite",
  to: "evidence",
  path: `logs/${index}.log`,
  key: `incidents/${incident.id}/evidence/logs/${index}.log`,
  bytes: 17_900,
  sha256: digest(String(index)),
  at: opened + (60 + index) * second,
  seen: { bytes: 18_000, mtimeNs: "1", inode: String(index) },
  redactions: [{ rule: "token", count: index }],
}))

const doomed = (pid: number, program: string, why: string) => ({
  pid,
  started: "1",
  parent: 1,
  group: pid,
  program,
  why,
})

export const stopped: Stopped = {
  format: "dandori-stopped/1",
  by: "run/stop",
  drill: false,
  boot: "boot",
  done: true,
  near: [{ target: "training", pid: 7_700, reason: "its working folder is /home/mika" }],
  stops: [
    {
      by: "run/stop",
      target: "api",
      began: opened + 14 * second,
      processes: [doomed(4_100, "uvicorn", "its arguments, port 8000"), doomed(4_101, "python3", "child of 4100")],
      containers: [],
      signals: [{ signal: "SIGINT", at: opened + 14 * second, pids: [4_100, 4_101] }],
      ended: opened + 16 * second,
      remaining: [],
    },
    {
      by: "run/stop",
      target: "training",
      began: opened + 16 * second,
      processes: [doomed(5_200, "python3", "its arguments")],
      containers: [{ id: "f00dfacecafe0000", name: hostile, socket: "/run/docker.sock", pid: 5_300 }],
      signals: [
        { signal: "SIGINT", at: opened + 16 * second, pids: [5_200] },
        { signal: "SIGTERM", at: opened + 31 * second, pids: [5_200] },
        { signal: "SIGKILL", at: opened + 46 * second, pids: [5_200] },
      ],
      ended: opened + 47 * second,
      remaining: [],
    },
  ],
  remaining: [],
}

export const recovered: Recovered = {
  format: "dandori-recovered/1",
  by: "run/recover",
  drill: false,
  done: true,
  starts: [
    {
      by: "run/recover",
      name: "api",
      began: opened + 90 * second,
      pid: 6_000,
      ready: opened + 95 * second,
      log: "recovered/api.log",
    },
  ],
}

/** What the sub-types answered. */
export const answers = {
  cordon: { raised: true, epoch: 4 },
  volatile: { ok: 1, skipped: 1, failed: 1, problems: ["journal: journalctl ended with 1"] },
  stop: { complete: true, remaining: [] },
  collect: { ok: 1, skipped: 0, failed: 0, problems: [] },
  push: {
    rung: "offsite",
    location: "s3://vault/ml-prod",
    away: true,
    objects: 3,
    bytes: 53_700,
    sent: 53_700,
    notTaken: 5_001,
    complete: false,
    refusals: [{ rung: "second", reason: `its bucket has no lock ${hostile}`, refused: true }],
  },
  manifest: { complete: false },
  verify: { verified: 3, failed: 0, problems: [], complete: true, latest: { moved: false, reason: "it would shrink" } },
  recover: { complete: true, failed: [] },
}

const lines = <A>(schema: Schema.Codec<A, any>, values: ReadonlyArray<A>) =>
  values.map((value) => `${CanonicalJson.encode(Schema.encodeSync(schema)(value))}\n`).join("")

/** Opens the incident below a folder, without any list in it. */
export const open = (root: string, given: Partial<Incident> = {}, call: Partial<IncidentCall> = {}) =>
  Effect.flatMap(Incidents.Incidents, (incidents) =>
    incidents.open({ ...incident, ...given }, { began: opened, ...call }),
  ).pipe(Effect.provide(Incidents.layer({ root, projectHome: join(root, "home") })))

/** Opens the incident and writes all of its lists. */
export const fill = Effect.fnUntraced(function* (root: string, left = 5_000, given: Partial<Incident> = {}) {
  const folder = yield* open(root, given, { deadline: opened + 600 * second })
  const write = (name: string, text: string) => Effect.promise(() => Fs.writeFile(join(folder.path, name), text))
  yield* write("collected.ndjson", lines(Collected, collected))
  yield* write("inventory.ndjson", lines(SourceFile, inventory(left)))
  yield* write("not-taken.ndjson", lines(NotTaken, notTaken(left)))
  yield* write("pushed.ndjson", lines(Pushed, pushed))
  yield* write("stopped.json", lines(Stopped, [stopped]))
  yield* write("recovered.json", lines(Recovered, [recovered]))
  yield* Effect.promise(() => Fs.mkdir(join(folder.path, "bundles", "evidence"), { recursive: true }))
  yield* write(
    "bundles/evidence/manifest.json",
    CanonicalJson.encode({
      bundle: "evidence",
      root: digest("root"),
      coverage: { seen: 5_005, taken: 4, notTaken: 5_001, unstable: 0, collectors: { ok: 2, skipped: 1, failed: 1 } },
    }),
  )
  return folder
})

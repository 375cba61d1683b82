import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { Collected, NotTaken, SourceFile } from "../../../../src/domain/collected.ts"
import type { Incident, IncidentCall } from "../../../../src/domain/incident.ts"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Incidents from "../../../../src/services/evacuation/incident/incidents.ts"

export const opened = Date.UTC(2026, 10, 27, 3, 14, 0)

export const incident: Incident = {
  format: "dandori-incident/1",
  id: "IR-20261127T031400Z",
  opened,
  owner: "responder",
  host: "gpu-1",
  project: "/srv/project",
  env: "dev",
  reason: "disk is failing",
  drill: false,
  snapshot: "20261127T031400Z",
}

/** A folder that goes with the scope. */
export const temporary = Effect.acquireRelease(
  Effect.promise(async () => Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori evacuation ")))),
  (folder) =>
    Effect.promise(async () => {
      await Bun.$`chmod -R u+rwX ${folder}`.quiet().nothrow()
      await Fs.rm(folder, { recursive: true, force: true })
    }),
)

/** Where a test's incidents lie, in a place of its own. */
export const layerAt = (root: string) =>
  Incidents.layer({ root: join(root, "incidents"), projectHome: join(root, "home") })

/** An incident that was just opened. */
export const openAt = (root: string, call: IncidentCall = { began: opened }) =>
  Effect.flatMap(Incidents.Incidents, (incidents) => incidents.open(incident, call)).pipe(Effect.provide(layerAt(root)))

/** Adds lines to `collected.ndjson`. */
export const collected = (folder: Incidents.IncidentFolder, ...lines: ReadonlyArray<Collected>) =>
  Incidents.addLines(folder.path, "collected.ndjson", lines)

/** A collector's end, as far as a test says nothing else. */
export const ended = (collector: string, more: Partial<Collected> = {}): Collected => ({
  collector,
  to: "evidence",
  outcome: "ok",
  began: opened + 1_000,
  ended: opened + 2_500,
  files: 0,
  bytes: 0,
  ...more,
})

/** A capture that was taken. */
export const capture = Effect.fnUntraced(function* (
  folder: Incidents.IncidentFolder,
  collector: string,
  content: string | Uint8Array,
  name = `${collector}.txt`,
) {
  const bytes = Buffer.from(content)
  const path = `captures/${name}`
  const at = join(folder.path, path)
  yield* Effect.promise(async () => {
    await Fs.mkdir(dirname(at), { recursive: true })
    await Fs.writeFile(at, bytes)
  })
  const line = ended(collector, { path, sha256: Sha256.of(bytes), bytes: bytes.length })
  yield* collected(folder, line)
  return line
})

/** A file that is to be taken, as far as a test says nothing else. */
export const source = (path: string, content: string | Uint8Array, more: Partial<SourceFile> = {}): SourceFile => ({
  collector: path.split("/")[0] ?? "",
  to: "evidence",
  value: 60,
  source: `/srv/project/${path}`,
  path,
  bytes: Buffer.from(content).length,
  mtime: opened - 60_000,
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  redact: false,
  ...more,
})

export const notTaken = (folder: Incidents.IncidentFolder, ...lines: ReadonlyArray<NotTaken>) =>
  Incidents.addLines(folder.path, "not-taken.ndjson", lines)

/** Runs a program to its end. */
export const run = (cwd: string, ...argv: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const child = Bun.spawn([...argv], { cwd, env: process.env, stdin: "ignore", stdout: "pipe", stderr: "pipe" })
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { code, out, err }
  })

/** Runs the commands of a README as they stand, one block after the other in one shell. */
export const byHand = (cwd: string, readme: string, before: ReadonlyArray<string> = []) => {
  const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)\n```/g)].map((found) => found[1] ?? "")
  return run(cwd, "bash", "-eux", "-o", "pipefail", "-c", [...before, ...blocks].join("\n"))
}

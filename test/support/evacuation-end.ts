import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import { incidentFolder, linesOf, type Place, prefix, type Trial } from "./evacuation-trial.ts"
import * as Source from "./evacuation-source.ts"
import { isAlive } from "./incident-machine.ts"

type Fault = (what: string) => void

const sha256Of = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

/** Every object of a trial, by its key below the prefix, as a client reads it that knows nothing of Dandori. */
export const objectsOf = async (
  { sdk }: Place,
  { bucket }: Trial,
  below = "",
): Promise<ReadonlyMap<string, Buffer>> => {
  const found = new Map<string, Buffer>()
  const pages = Sdk.paginateListObjectsV2({ client: sdk }, { Bucket: bucket, Prefix: `${prefix}/${below}` })
  for await (const page of pages) {
    for (const { Key = "" } of page.Contents ?? []) {
      const { Body } = await sdk.getObject({ Bucket: bucket, Key })
      found.set(Key.slice(prefix.length + 1), Buffer.from((await Body?.transformToByteArray()) ?? []))
    }
  }
  return found
}

/** True where a text is the other one with things replaced by `[redacted …]`. */
const isRedactionOf = (redacted: string, original: string): boolean => {
  const [first = "", ...others] = redacted.split(/\[redacted [^\]\n]*\]/)
  if (others.length === 0) return redacted === original
  const last = others.pop() ?? ""
  if (!original.startsWith(first) || !original.endsWith(last)) return false
  let at = first.length
  for (const each of others) {
    const found = original.indexOf(each, at)
    if (found === -1) return false
    at = found + each.length
  }
  return at <= original.length - last.length
}

const sh = (folder: string, script: string) => {
  const { exitCode, stderr, stdout } = Bun.spawnSync(["sh", "-ec", script], { cwd: folder })
  return exitCode === 0 ? undefined : `${stdout.toString()}${stderr.toString()}`.trim().slice(0, 600)
}

/** Each source file is among the objects of its bundle, by digest or but for what was redacted. */
const checkSources = (
  trial: Trial,
  places: Readonly<Record<Source.Expected["to"], string>>,
  objects: ReadonlyMap<string, Buffer>,
  fault: Fault,
) => {
  const byPlace = new Map([...objects].map(([key, bytes]) => [Source.placeOf(key), bytes]))
  for (const expected of trial.expected) {
    const bytes = byPlace.get(`${places[expected.to]}/${expected.place}`)
    if (bytes === undefined) fault(`${expected.place} is not at the destination`)
    else if (expected.redact) {
      const original = Source.read(trial.project, expected).toString("latin1")
      if (!isRedactionOf(bytes.toString("latin1"), original))
        fault(`${expected.place} is not its source but for secrets`)
    } else if (sha256Of(bytes) !== expected.sha256) fault(`${expected.place} is not its source`)
  }
  for (const [key, bytes] of objects) {
    if (bytes.includes(Source.secretMark)) fault(`${key} holds a secret`)
  }
}

/** A bundle opens by hand: its tars unpack, its sums hold, and they list every file that has to be there. */
const checkBundle = async (
  trial: Trial,
  to: Source.Expected["to"],
  place: string,
  objects: ReadonlyMap<string, Buffer>,
  fault: Fault,
): Promise<string> => {
  const folder = join(trial.root, "fetched", to)
  await Fs.rm(folder, { recursive: true, force: true })
  await Fs.mkdir(folder, { recursive: true })
  for (const [key, bytes] of objects) {
    if (!key.startsWith(`${place}/`)) continue
    const path = join(folder, key.slice(place.length + 1))
    await Fs.mkdir(dirname(path), { recursive: true })
    await Fs.writeFile(path, bytes)
  }
  const problem =
    sh(folder, 'for tar in evidence*.tar; do [ ! -e "$tar" ] || tar -xf "$tar"; done') ??
    sh(folder, "sha256sum --strict --quiet -c SHA256SUMS") ??
    sh(folder, "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig")
  if (problem !== undefined) {
    fault(`the bundle ${place}: ${problem}`)
    return folder
  }
  const sums = (await Fs.readFile(join(folder, "SHA256SUMS"), "utf8")).split("\n")
  const listed = new Set(sums.map((line) => Source.placeOf(line.slice(66))))
  for (const { place: wanted, to: of } of trial.expected) {
    if (of === to && !listed.has(wanted)) fault(`SHA256SUMS of ${place} does not list ${wanted}`)
  }
  return folder
}

/** The snapshot that `latest.json` names is whole, whenever there is one. */
export const checkLatest = async (place: Place, trial: Trial, fault: Fault): Promise<boolean> => {
  const latest = (await objectsOf(place, trial, "latest.json")).get("latest.json")
  if (latest === undefined) return false
  const stamp = /"snapshot":"(?:snapshots\/)?([^"/]+)/.exec(latest.toString())?.[1]
  if (stamp === undefined) fault(`latest.json names no snapshot: ${latest.toString()}`)
  if (stamp === undefined) return true
  const at = `snapshots/${stamp}`
  const objects = await objectsOf(place, trial, `${at}/`)
  const byPlace = new Map([...objects].map(([key, bytes]) => [Source.placeOf(key), bytes]))
  for (const { place: wanted, sha256, to } of trial.expected) {
    const bytes = byPlace.get(`${at}/${wanted}`)
    if (to !== "snapshot") continue
    if (bytes === undefined || sha256Of(bytes) !== sha256)
      fault(`latest.json names ${at}, where ${wanted} is not its source`)
  }
  return true
}

/** What was to be stopped has stopped, the look-alike lives, and `stopped.json` says so. */
const checkStopped = async ({ machine }: Trial, folder: string, fault: Fault) => {
  if (machine === undefined) return
  const doomed = [machine.api, machine.training].flatMap(({ pid, said }) => [pid, ...said.slice(1).map(Number)])
  for (const pid of doomed) if (isAlive(pid)) fault(`process ${pid} was to be stopped, and lives`)
  const spared = [machine.lookAlike.pid, ...machine.lookAlike.said.slice(1).map(Number)]
  for (const pid of spared) if (!isAlive(pid)) fault(`process ${pid} of the look-alike is dead`)
  const text = await Fs.readFile(join(folder, "stopped.json"), "utf8").catch(() => "{}")
  const { done, drill, remaining, stops = [] } = JSON.parse(text)
  if (done !== true || drill !== false || remaining?.length !== 0)
    fault(`stopped.json is not done: ${text.slice(0, 300)}`)
  const told = new Set(stops.flatMap((stop: any) => stop.processes.map(({ pid }: { pid: number }) => pid)))
  for (const pid of doomed) if (!told.has(pid)) fault(`stopped.json says nothing of process ${pid}`)
  for (const pid of spared)
    if (told.has(pid)) fault(`stopped.json says that process ${pid} of the look-alike was stopped`)
}

/** What an evacuation that ended with 0 has to have left. */
export const check = async (place: Place, trial: Trial, fault: Fault): Promise<void> => {
  const folder = await incidentFolder(trial)
  if (folder === undefined) return fault("it ended with 0, and its folder is not here")
  const { snapshot } = JSON.parse(await Fs.readFile(join(folder, "incident.json"), "utf8"))
  const places = { evidence: `incidents/${trial.incident}/evidence`, snapshot: `snapshots/${snapshot}` }
  const objects = await objectsOf(place, trial)
  checkSources(trial, places, objects, fault)
  const evidence = await checkBundle(trial, "evidence", places.evidence, objects, fault)
  await checkBundle(trial, "snapshot", places.snapshot, objects, fault)
  const isMoved = await checkLatest(place, trial, fault)
  if (isMoved !== (trial.machine !== undefined))
    fault(isMoved ? "a drill moved latest.json" : "there is no latest.json")
  for (const capture of await linesOf(folder, "collected.ndjson")) {
    if (capture.path === undefined || capture.outcome !== "ok") continue
    const there = await Fs.readFile(join(evidence, capture.path)).catch(() => undefined)
    if (there === undefined || sha256Of(there) !== capture.sha256) {
      fault(`the capture ${capture.path} at the destination is not what was taken`)
    }
  }
  for (const pushed of await linesOf(folder, "pushed.ndjson")) {
    const bytes = objects.get(pushed.key)
    if (pushed.rung === "offsite" && (bytes === undefined || sha256Of(bytes) !== pushed.sha256)) {
      fault(`pushed.ndjson has ${pushed.key}, which is not so at the destination`)
    }
  }
  const listed = (await linesOf(folder, "collected.ndjson")).findLast(({ collector }) => collector === "processes")
  const processes = await Fs.readFile(join(evidence, listed?.path ?? ""), "utf8").catch(() => "")
  // What a full disk did not take before the stop is taken after it, and said to be.
  const doomed =
    trial.machine === undefined || trial.disk !== undefined ? [] : [trial.machine.api, trial.machine.training]
  for (const { pid } of doomed) {
    if (!new RegExp(`\\b${pid}\\b`).test(processes)) fault(`process ${pid} is not in the evidence from before the stop`)
  }
  await checkStopped(trial, folder, fault)
}

import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import * as Machine from "./incident-machine.ts"
import * as S3 from "./servers/s3.ts"
import * as Source from "./evacuation-source.ts"
import * as Wire from "./evacuation-wire.ts"

const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")

/** Below this everything lies in a trial's bucket. */
export const prefix = "ours"

/** A server, the wire to it, the binary, and what every trial's project is a copy of. */
export interface Place {
  readonly folder: string
  readonly binary: string
  readonly sdk: Sdk.S3
  readonly wire: Wire.Wire
  readonly template: string
  /** Where the server keeps a bucket's objects as files. */
  readonly objects: (bucket: string) => string
  readonly close: (keep: boolean) => Promise<void>
}

/** One evacuation: its project, which is to be at a bucket of its own. */
export interface Trial {
  readonly number: number
  readonly incident: string
  readonly bucket: string
  readonly root: string
  readonly project: string
  readonly temporary: string
  readonly expected: ReadonlyArray<Source.Expected>
  /** Processes to stop; a drill stops none. */
  readonly machine: Machine.IncidentMachine | undefined
  /** A small file system that the evacuation keeps its records on. */
  readonly disk: string | undefined
  readonly end: (keep: boolean) => Promise<void>
}

/** How a call of the binary ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
  readonly millis: number
}

/** A call that goes on. `kill` ends it, or it and all of its process group; false where it has ended by itself. */
export interface Call {
  readonly pid: number
  readonly kill: (whole: boolean) => boolean
  readonly isOver: () => boolean
  readonly ended: Promise<Ended>
}

/** Builds the binary into a folder, or takes `DANDORI_TEST_BINARY`. */
export const build = async (folder: string): Promise<string> => {
  const given = process.env.DANDORI_TEST_BINARY
  if (given !== undefined) return given
  const binary = join(folder, "dandori")
  const child = Bun.spawn([bun, join(repository, "deploy/build.ts"), binary], { stdout: "ignore", stderr: "pipe" })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(said)
  return binary
}

/** Starts the server, builds the binary where none is given, and makes the project by its seed. */
export const open = async (
  seed: number,
  { binary: given, light = false }: { readonly binary?: string; readonly light?: boolean } = {},
): Promise<Place> => {
  const folder = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "evacuation chaos ")))
  const [data, template] = [join(folder, "s3"), join(folder, "template")]
  for (const each of [data, template]) await Fs.mkdir(each)
  const [s3, binary] = await Promise.all([S3.start(data), given ?? build(folder), Source.make(template, seed, light)])
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = S3.env
  const credentials = { accessKeyId, secretAccessKey }
  const sdk = new Sdk.S3({ endpoint: s3.endpoint, region, forcePathStyle: true, credentials })
  const wire = await Wire.start(s3.port)
  const close = async (keep: boolean) => {
    wire.stop()
    sdk.destroy()
    await s3.stop("SIGINT")
    if (!keep) await Fs.rm(folder, { recursive: true, force: true })
  }
  return { folder, binary, sdk, wire, template, objects: (bucket) => join(data, "objects", bucket), close }
}

/** Why there is no small file system to fill here; undefined where there is. */
export const lacksDisks = (): string | undefined => {
  if (process.getuid?.() === 0) return undefined
  return "disks are not filled: only root mounts a tmpfs"
}

const mount = (path: string) => {
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "dandori-trial", path])
  if (mounted.exitCode !== 0) throw new Error(mounted.stderr.toString())
}

/** Makes a trial's project and bucket. `stops`: with processes to stop; `small`: with its records on a small disk. */
export const trial = async (
  place: Place,
  number: number,
  { small, stops }: { readonly stops: boolean; readonly small: boolean },
): Promise<Trial> => {
  const bucket = `trial-${number}`
  const machine = stops ? await Machine.open({}) : undefined
  const root = machine?.root ?? (await Fs.mkdtemp(join(place.folder, "trial ")))
  const [project, temporary] = [machine?.project ?? join(root, "a machine"), join(root, "temporary")]
  for (const each of [project, temporary]) await Fs.mkdir(each, { recursive: true })
  const copied = Bun.spawnSync(["cp", "-al", `${place.template}/.`, project])
  if (copied.exitCode !== 0) throw new Error(copied.stderr.toString())
  await Source.configure(project, machine?.port ?? 1, `http://127.0.0.1:${place.wire.port}`)
  await place.sdk.createBucket({ Bucket: bucket })
  const disk = small ? join(project, ".dandori/evacuation") : undefined
  if (disk !== undefined) {
    await Fs.mkdir(disk, { recursive: true })
    mount(disk)
  }
  const end = async (keep: boolean) => {
    // What a kept trial left on the disk is copied to where it was.
    if (disk !== undefined) {
      if (keep) await Bun.$`cp -a ${disk} ${root}/records`.quiet().nothrow()
      Bun.spawnSync(["umount", "-l", disk])
    }
    if (keep) return
    await machine?.close()
    await Fs.rm(root, { recursive: true, force: true })
    for (const name of ["objects", "versions", "sidecar"]) {
      await Fs.rm(join(place.folder, "s3", name, bucket), { recursive: true, force: true })
    }
  }
  const incident = `IR-trial-${number}`
  return {
    number,
    incident,
    bucket,
    root,
    project,
    temporary,
    expected: Source.expectedOf(project),
    machine,
    disk,
    end,
  }
}

/** Calls the binary for a trial's incident. `onStep` hears of each attempt of a task as it starts. */
export const call = (place: Place, trial: Trial, patienceMillis: number, onStep: (step: string) => void): Call => {
  const drill = trial.machine === undefined ? ["--drill"] : ["--yes"]
  const argv = [place.binary, "evacuate", "--json", "--incident", trial.incident, ...drill]
  const began = performance.now()
  const child = Bun.spawn(["setsid", ...argv], {
    cwd: trial.project,
    env: {
      PATH: "/usr/bin:/bin",
      HOME: trial.root,
      TMPDIR: trial.temporary,
      S3_BUCKET: `s3://${trial.bucket}/${prefix}`,
      ...S3.env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const hear = async () => {
    const decoder = new TextDecoder()
    let all = ""
    let rest = ""
    for await (const chunk of child.stdout) {
      const text = decoder.decode(chunk, { stream: true })
      all += text
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        const step = /"status":"started"/.test(line) && /"step":"([^"]+)"/.exec(line)?.[1]
        if (typeof step === "string") onStep(step)
      }
    }
    return all
  }
  let isOver = false
  const kill = (whole: boolean): boolean => {
    if (isOver || child.exitCode !== null || child.signalCode !== null) return false
    try {
      return process.kill(whole ? -child.pid : child.pid, "SIGKILL")
    } catch {
      return false
    }
  }
  const patience = setTimeout(() => kill(true), patienceMillis)
  // What it started may outlive it, and hold its output open.
  void child.exited.then(() =>
    setTimeout(() => {
      if (!isOver) Bun.spawnSync(["kill", "-KILL", "--", `-${child.pid}`])
    }, 3_000),
  )
  const ended = Promise.all([hear(), new Response(child.stderr).text(), child.exited]).then(([out, err]) => {
    isOver = true
    clearTimeout(patience)
    const signal = child.signalCode === null ? null : String(child.signalCode)
    return { code: child.exitCode, signal, out, err, millis: performance.now() - began }
  })
  return { pid: child.pid, kill, isOver: () => isOver, ended }
}

/** The incident's folder on this machine, that of its newest call; undefined where there is none yet. */
export const incidentFolder = async (trial: Trial): Promise<string | undefined> => {
  const elsewhere = join(trial.temporary, `dandori-evacuation-${process.getuid?.()}`)
  let newest: { readonly folder: string; readonly at: number } | undefined
  for (const home of [join(trial.project, ".dandori/evacuation"), elsewhere]) {
    const folder = join(home, "incidents", trial.incident)
    if (!(await Bun.file(join(folder, "incident.json")).exists())) continue
    const at = await Fs.stat(join(folder, "call.json")).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    )
    if (newest === undefined || at > newest.at) newest = { folder, at }
  }
  return newest?.folder
}

/** Lines of one of the incident's lists; one that a crash has torn is left out. */
export const linesOf = async (folder: string, name: string): Promise<ReadonlyArray<Record<string, any>>> => {
  const text = await Fs.readFile(join(folder, name), "utf8").catch(() => "")
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line)]
    } catch {
      return []
    }
  })
}

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Sample from "./sample-project.ts"

const isRoot = process.getuid?.() === 0

/** A folder of a project as a small file system of its own, that this process's commands and nobody else see. */
export interface Disk {
  /** Words before a command that make it see the disk. */
  readonly before: ReadonlyArray<string>
  /** The folder as it is there, for us who are outside. */
  readonly inside: string
  /** Leaves no more than so many bytes free, by default none. */
  readonly fill: (free?: number) => Promise<void>
  readonly free: () => Promise<void>
  readonly remove: () => Promise<void>
}

/** Enters a mount namespace; the working folder has to be found anew in it. */
const enter = (pid: number, folder: string): ReadonlyArray<string> => [
  "nsenter",
  `--target=${pid}`,
  "--mount",
  ...(isRoot ? [] : ["--user", "--preserve-credentials"]),
  "sh",
  "-c",
  'cd "$0" && exec "$@"',
  folder,
]

/**
 * Puts a tmpfs of so many bytes in place of a folder, in a mount namespace: as root, or as any user where the kernel
 * lets users have namespaces. It is gone with the process that holds it.
 */
export const smallDisk = async (
  project: Pick<Sample.SampleProject, "folder">,
  folder: string,
  bytes: number,
): Promise<Disk> => {
  const at = join(project.folder, folder)
  await Fs.mkdir(at, { recursive: true, mode: 0o700 })
  const mount = 'mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$0" && echo ready && exec cat'
  const holder = Bun.spawn(["unshare", ...(isRoot ? [] : ["-Ur"]), "-m", "sh", "-c", mount, at, String(bytes)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  })
  const reader = holder.stdout.getReader()
  const { done } = await reader.read()
  if (done) {
    throw new Error(
      "A small disk needs a mount namespace: run the tests as root, or allow unprivileged user namespaces",
    )
  }
  const inside = `/proc/${holder.pid}/root${at}`
  const ballast = join(inside, "ballast")
  return {
    before: enter(holder.pid, project.folder),
    inside,
    fill: async (free = 0) => {
      const { bavail, bsize } = await Fs.statfs(inside)
      const written = Fs.appendFile(ballast, new Uint8Array(bavail * bsize - free))
      // Others write there too.
      await written.catch((error: NodeJS.ErrnoException) => assert.strictEqual(error.code, "ENOSPC"))
    },
    free: () => Fs.rm(ballast, { force: true }),
    remove: async () => {
      holder.kill("SIGKILL")
      await holder.exited
    },
  }
}

/** Words before a command that take root's right to write where the mode of a folder forbids it. */
export const modest: ReadonlyArray<string> = isRoot
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search", "--"]
  : []

const waits = "while [ ! -e go ]; do sleep 0.02; done"
const long = "printf %06000d 0"

/** What the weather is tried on. `two` waits for the file `go`; what it says fits in no page that has room left. */
const pipelines = {
  weather: `
  one: { uses: command, with: { effects: idempotent, argv: [sh, -c, 'echo one >> effects'] } }
  two: { uses: command, needs: [one], with: { effects: idempotent, argv: [sh, -c, "echo two >> effects; ${waits}; ${long}"] } }
  three: { uses: command, needs: [two], with: { effects: idempotent, argv: [sh, -c, 'echo three >> effects'] } }`,
  pure: `
  says: { uses: command, with: { effects: pure, argv: [sh, -c, "${waits}; ${long}"] } }
  works: { uses: command, with: { effects: pure, argv: [sh, -c, 'sleep 600'] } }`,
  clock: `
  first: { uses: command, with: { effects: idempotent, argv: [sh, -c, "${waits}"] } }
  slow:
    uses: command
    needs: [first]
    timeout: 500ms
    continueOnError: true
    with: { effects: idempotent, argv: [sleep, "600"] }
  flaky:
    uses: command
    needs: [first]
    retry: { attempts: 2, on: [CommandFailed], backoff: { initial: 3s, jitter: none } }
    with: { effects: idempotent, argv: [sh, -c, "[ -e flaky ] || { touch flaky; exit 1; }"] }
  asked:
    uses: command
    needs: [first]
    approval: { timeout: 3s, onTimeout: skip }
    with: { argv: [sh, -c, "echo asked >> effects"] }`,
  hangs: `
  hangs: { uses: command, with: { effects: idempotent, argv: [sleep, "600"] } }
timeout: 5s`,
  works: `
  talks:
    uses: command
    timeout: 5m
    with: { effects: idempotent, argv: [sh, -c, "echo begun >> effects; for n in 1 2 3 4 5 6 7 8 9; do echo line $n; sleep 0.1; done; ${waits}; ${long}; echo; echo the end"] }
  stands:
    uses: command
    timeout: 1s
    retry: { attempts: 1 }
    continueOnError: true
    with: { effects: idempotent, grace: 500ms, argv: [sleep, "600"] }`,
  once: `
  once: { uses: command, with: { argv: [sh, -c, 'echo once >> effects'] } }`,
  kept: `
  kept: { uses: command, with: { effects: idempotent, argv: [sh, -c, 'echo keeping; printf %020000d 0 > kept.txt'], outputs: { file: kept.txt } } }`,
}

/** A project with these pipelines. */
export const project = async (): Promise<Sample.SampleProject> => {
  const made = await Sample.make()
  for (const [id, tasks] of Object.entries(pipelines)) {
    await Fs.writeFile(join(made.folder, `pipelines/${id}.yaml`), `version: 1\nid: ${id}\ntasks:${tasks}\n`)
  }
  return made
}

/** Lets `two` go on. */
export const go = (at: Sample.SampleProject): Promise<void> => Fs.writeFile(join(at.folder, "go"), "")

/** What the tasks have done, in order. */
export const effects = async (at: Sample.SampleProject): Promise<ReadonlyArray<string>> =>
  (await Fs.readFile(join(at.folder, "effects"), "utf8").catch(() => "")).split("\n").slice(0, -1)

/** Whether a call still goes on; gives other things a turn. */
export const isAlive = async (call: Sample.Call): Promise<boolean> =>
  (await Promise.race([call.said, new Promise<undefined>((resolve) => setImmediate(resolve))])) === undefined

/** Starts a command and succeeds when a line of it holds a text, or when it has ended. */
export const until = async (
  at: Sample.SampleProject,
  args: ReadonlyArray<string>,
  text: string,
  before: ReadonlyArray<string> = [],
): Promise<Sample.Call> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const call = Sample.start(at, args, { before, onLine: (line) => line.includes(text) && resolve() })
  await Promise.race([promise, call.said])
  return call
}

/** A wall clock for commands that can be stepped while they run; the monotonic clock stays the machine's. */
export interface WallClock {
  /** Words before a command that give it this clock. */
  readonly before: ReadonlyArray<string>
  /** Sets the clock to so many seconds after the machine's. */
  readonly step: (seconds: number) => Promise<void>
}

const findFaketime = async () => {
  const found = await Array.fromAsync(new Bun.Glob("/usr/lib/**/faketime/libfaketime.so.1").scan({ absolute: true }))
  return found[0]
}

const faketime = async (): Promise<string> => {
  const found = await findFaketime()
  if (found !== undefined) return found
  if (isRoot) await Bun.$`apt-get install -y faketime`.quiet().nothrow()
  const installed = await findFaketime()
  if (installed === undefined)
    throw new Error("A clock that can be stepped needs libfaketime: apt-get install faketime")
  return installed
}

export const wallClock = async (at: Sample.SampleProject): Promise<WallClock> => {
  const control = join(at.user, "clock")
  const step = async (seconds: number) => {
    await Fs.writeFile(`${control}.new`, `${seconds < 0 ? "" : "+"}${seconds}s\n`)
    await Fs.rename(`${control}.new`, control)
  }
  await step(0)
  const before = [
    "env",
    `LD_PRELOAD=${await faketime()}`,
    `FAKETIME_TIMESTAMP_FILE=${control}`,
    "FAKETIME_NO_CACHE=1",
    "FAKETIME_DONT_FAKE_MONOTONIC=1",
  ]
  return { before, step }
}

import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")

/** The command line from source. */
export const command: ReadonlyArray<string> = [bun, join(repository, "src/cli/main.ts")]

/** A project with all that ships: configs, pipelines and samples, and nothing that a run has made. */
export interface SampleProject {
  readonly folder: string
  readonly home: string
  /** `$HOME` and `$TMPDIR` of every process that works on it. */
  readonly user: string
  readonly temporary: string
}

const at = (root: string): SampleProject => ({
  folder: join(root, "my project"),
  home: join(root, "my project", ".dandori"),
  user: join(root, "user"),
  temporary: join(root, "temporary files"),
})

/**
 * Has Bun keep what it makes of large modules in one place for all users of a suite: where each has a folder of its own,
 * the first command of each takes twice as long.
 */
const shareModules = async (user: string) => {
  const shared = process.env.DANDORI_TEST_SHARED
  if (shared === undefined) return
  const cache = join(shared, "bun cache")
  await Fs.mkdir(cache, { recursive: true })
  await Fs.mkdir(join(user, ".bun/install"), { recursive: true })
  await Fs.symlink(cache, join(user, ".bun/install/cache"))
}

const emptyPlace = async (): Promise<SampleProject> => {
  const project = at(await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori acceptance "))))
  for (const folder of [project.user, project.temporary]) await Fs.mkdir(folder)
  await shareModules(project.user)
  return project
}

/** A new project in a folder with a space in its name. */
export const make = async (): Promise<SampleProject> => {
  const project = await emptyPlace()
  for (const name of ["configs", "pipelines", "samples"]) {
    await Fs.cp(join(repository, name), join(project.folder, name), { recursive: true })
  }
  return project
}

/** The same project with all that its runs left, somewhere else. */
export const copyOf = async (original: SampleProject): Promise<SampleProject> => {
  const project = await emptyPlace()
  await Bun.$`cp -a ${original.folder} ${project.folder}`.quiet()
  return project
}

/** Removes a project with its read-only files. */
export const remove = async (project: SampleProject | undefined): Promise<void> => {
  if (project === undefined) return
  await Bun.$`chmod -R u+rwX ${resolve(project.folder, "..")}`.quiet().nothrow()
  await Fs.rm(resolve(project.folder, ".."), { recursive: true, force: true })
}

/** What a call of the command line said, when each line on standard error came, and how it ended. */
export interface Said {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
  readonly heard: ReadonlyArray<{ readonly line: string; readonly millis: number }>
}

/** A call that goes on. `onLine` hears every line of both outputs as it comes. */
export interface Call {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly said: Promise<Said>
}

const hear = async (stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<string> => {
  const decoder = new TextDecoder()
  let all = ""
  let rest = ""
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true })
    all += text
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    lines.forEach(onLine)
  }
  return all
}

/** What stands before the words of a call, what it finds in its environment, and who hears its lines. */
export interface StartOptions {
  readonly before?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly onLine?: (line: string) => void
}

/** Starts the real command line as a process of its own, with no more of an environment than it needs. */
export const start = (project: SampleProject, args: ReadonlyArray<string>, options: StartOptions = {}): Call => {
  const began = performance.now()
  const heard: Array<{ readonly line: string; readonly millis: number }> = []
  const argv = [...(options.before ?? []), ...command, ...args]
  const own = { PATH: process.env.PATH ?? "", HOME: project.user, TMPDIR: project.temporary, LANG: "C.UTF-8" }
  const env = { ...own, ...options.env }
  const child = Bun.spawn(argv, { cwd: project.folder, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" })
  const ended = Promise.all([
    hear(child.stdout, (line) => options.onLine?.(line)),
    hear(child.stderr, (line) => {
      heard.push({ line, millis: performance.now() - began })
      options.onLine?.(line)
    }),
    child.exited,
  ])
  return {
    pid: child.pid,
    kill: (signal) => child.kill(signal),
    said: ended.then(([out, err]) => ({
      code: child.exitCode,
      signal: child.signalCode === null ? null : String(child.signalCode),
      out,
      err,
      heard,
    })),
  }
}

/** Runs the real command line to its end. */
export const dandori = (project: SampleProject, ...args: ReadonlyArray<string>): Promise<Said> =>
  start(project, args).said

/** The values of NDJSON; a line that is no JSON is an error. */
export const ndjson = (text: string): ReadonlyArray<Record<string, any>> =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]))

/** Whether a text shows where in the program something happened. */
export const hasStackTrace = (text: string): boolean => /^\s*at .+[(:]|\.ts:\d+:\d+\)|This is a defect/m.test(text)

/** Every file below a folder, relative, in order. */
export const filesBelow = async (folder: string): Promise<ReadonlyArray<string>> =>
  (await Fs.readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()

/** Processes that carry the mark of an attempt of one of these runs. */
export const leftBehind = async (runs: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = []
  for (const pid of (await Fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environment = await Fs.readFile(`/proc/${pid}/environ`, "latin1").catch(() => "")
    const mark = environment.split("\0").find((each) => each.startsWith("DANDORI_ATTEMPT="))
    if (mark !== undefined && runs.some((run) => mark.includes(run))) found.push(`${pid} ${mark}`)
  }
  return found
}

/** The one run that `runs list --json` told of. */
export const onlyRunIn = ({ err, out }: Said) => {
  const runs = ndjson(out)
  if (runs.length !== 1) throw new Error(`There are ${runs.length} runs: ${out}${err}`)
  return runs[0]
}

/** The runs of a project, oldest first. */
export const runsOf = async (
  project: SampleProject,
): Promise<ReadonlyArray<{ readonly run: string; readonly pipeline: string; readonly status: string }>> => {
  const { code, err, out } = await dandori(project, "runs", "list", "--json")
  if (code !== 0) throw new Error(err)
  return ndjson(out)
    .map(({ pipeline, run, status }) => ({ run, pipeline, status }))
    .toReversed()
}

import * as Fs from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Link from "./link-proxy.ts"

const repository = resolve(import.meta.dirname, "../..")
const command = [join(repository, "node_modules/.bin/bun"), join(repository, "src/cli/main.ts")]

/** A schedule of the trial: its cron ticks every `seconds`. */
export interface Ticking {
  readonly id: string
  readonly seconds: number
  readonly overlap: string
  readonly catchup: string
  /** How long a run works, seconds. */
  readonly works: string
}

/** Every policy of overlapping and catching up is there. */
export const schedules: ReadonlyArray<Ticking> = [
  { id: "skipping", seconds: 1, overlap: "skip", catchup: "none", works: "0.3" },
  { id: "queueing", seconds: 3, overlap: "queue-all", catchup: "all, window: 1h", works: "0.2" },
  { id: "newest", seconds: 2, overlap: "queue-one", catchup: "last, window: 1h", works: "2.5" },
  { id: "cancelling", seconds: 3, overlap: "cancel-running", catchup: "last, window: 1h", works: "4" },
  { id: "beside", seconds: 3, overlap: "allow", catchup: "all, window: 1h", works: "1.5" },
]

/** The pipeline that the API is asked to run. */
export const onRequest = "on-request"

/** Says when an attempt begins and ends, and whether another one of the same run goes on meanwhile. */
const script = [
  'run=${DANDORI_ATTEMPT%%/*}; file="$0/$run"',
  'exec 9>>"$file.lock"',
  'flock -n 9 || echo "$DANDORI_ATTEMPT" >> "$0/overlaps"',
  'echo "begin $DANDORI_ATTEMPT $$ $(date +%s.%N)" >> "$file"',
  'sleep "$1"',
  'echo "end $DANDORI_ATTEMPT $$ $(date +%s.%N)" >> "$file"',
].join("; ")

const pipeline = (id: string, work: string, works: string, schedule: ReadonlyArray<string>) =>
  [
    "version: 1",
    `id: ${id}`,
    ...schedule,
    "tasks:",
    `  work: { uses: command, with: { effects: idempotent, argv: ${JSON.stringify(["sh", "-c", script, work, works])} } }`,
    "",
  ].join("\n")

/** A machine of the trial: its checkout with a home of its own, and its link to the database. */
export interface Machine {
  readonly name: string
  readonly folder: string
  readonly link: Link.Link
}

/** The url of a server behind another port. */
export const urlAt = (server: string, port: number): string => {
  const url = new URL(server)
  url.port = String(port)
  return url.href
}

/** Machines on one database, with one store of artifacts, whose runs write below `work`. */
export const machines = async (
  root: string,
  names: ReadonlyArray<string>,
  port: number,
  url: (port: number) => string,
): Promise<{ readonly machines: ReadonlyArray<Machine>; readonly work: string; readonly close: () => void }> => {
  const [work, artifacts] = [join(root, "work"), join(root, "artifacts")]
  for (const folder of [work, artifacts]) await Fs.mkdir(folder)
  const made = names.map(async (name): Promise<Machine> => {
    const folder = join(root, `${name} machine`)
    const link = await Link.make(port)
    const write = (path: string, text: string) => Fs.writeFile(join(folder, path), text, { mode: 0o600 })
    await Fs.cp(join(repository, "configs"), join(folder, "configs"), { recursive: true })
    for (const each of ["secrets", "pipelines", ".dandori"]) await Fs.mkdir(join(folder, each), { mode: 0o700 })
    await Fs.symlink(artifacts, join(folder, ".dandori/artifacts"))
    await write("secrets/dsn", url(link.port))
    const database = "backend: postgres\ndsn: ${file:secrets/dsn}\ntimeout: 2s\nstatement_timeout: 5s\n"
    await write("configs/envs/dev/database.yaml", database)
    await write("configs/envs/dev/ledger.yaml", "store: postgres\n")
    await write("configs/envs/dev/daemon.yaml", "shutdown_grace: 2s\nlimits: { requests_per_minute: 6000 }\n")
    for (const { catchup, id, overlap, seconds, works } of schedules) {
      const cron = `*/${seconds} * * * * *`
      const lines = [`cron: "${cron}"`, "timezone: UTC", `overlap: ${overlap}`, `catchup: { policy: ${catchup} }`]
      const text = pipeline(id, work, works, ["schedule:", ...lines.map((line) => `  ${line}`)])
      await write(`pipelines/${id}.yaml`, text)
    }
    await write(`pipelines/${onRequest}.yaml`, pipeline(onRequest, work, "0.2", []))
    return { name, folder, link }
  })
  const all = await Promise.all(made)
  return {
    machines: all,
    work,
    close: () => {
      for (const { link } of all) link.close()
    },
  }
}

const environment = () => {
  const { SERVICE_ENV: _env, DANDORI_HOME: _home, ...env } = process.env
  return env
}

/** Runs the command line on a machine to its end. */
export const dandori = async ({ folder }: Machine, ...args: ReadonlyArray<string>) => {
  const child = Bun.spawn([...command, ...args], { cwd: folder, env: environment(), stdout: "pipe", stderr: "pipe" })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out, err }
}

/** A daemon that runs as a process on a machine. */
export interface Daemon {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly exited: Promise<number>
  /** Where its API listens; undefined until it does. */
  readonly api: () => string | undefined
  /** When it last began to lead, milliseconds since the epoch; undefined while it does not. */
  readonly leadsSince: () => number | undefined
  readonly said: () => string
}

/** Starts a daemon; what it says is added to `<folder>/daemon.log`, too. */
export const daemon = ({ folder }: Machine): Daemon => {
  const argv = [...command, "daemon", "--port", "0"]
  const child = Bun.spawn(argv, { cwd: folder, env: environment(), stdin: "ignore", stdout: "pipe", stderr: "pipe" })
  let said = ""
  let leads: number | undefined
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    let rest = ""
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true })
      said += text
      await Fs.appendFile(join(folder, "daemon.log"), text)
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        if (/^\S+ +Leading$/.test(line)) leads = Date.now()
        if (/Leading no more/.test(line)) leads = undefined
      }
    }
  }
  const ended = Promise.all([read(child.stdout), read(child.stderr), child.exited])
  return {
    pid: child.pid,
    kill: (signal) => child.kill(signal),
    exited: ended.then(([, , code]) => {
      leads = undefined
      return code
    }),
    api: () => /The API listens on (\S+)/.exec(said)?.[1],
    leadsSince: () => leads,
    said: () => said,
  }
}

import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")

/** A project with the repository's configuration, in a folder with a space in its name that goes with the scope. */
export const project = Effect.acquireRelease(
  Effect.promise(async () => {
    const parent = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori-cli-")))
    const folder = join(parent, "my project")
    await Fs.mkdir(folder)
    await Fs.cp(join(repository, "configs"), join(folder, "configs"), { recursive: true })
    return folder
  }),
  (folder) =>
    Effect.promise(async () => {
      await Bun.$`chmod -R u+rwX ${folder}`.quiet()
      await Fs.rm(resolve(folder, ".."), { recursive: true, force: true })
    }),
)

/** What a call of the command line said and how it ended. */
export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Starts the real command line as a process of its own in `cwd`. */
export const start = (
  cwd: string,
  args: ReadonlyArray<string>,
  stdin?: Blob,
  more: Readonly<Record<string, string>> = {},
) => {
  const { SERVICE_ENV: _env, DANDORI_HOME: _home, ...own } = process.env
  const env = { ...own, ...more }
  const argv = [bun, join(repository, "src/cli/main.ts"), ...args]
  return Bun.spawn(argv, { cwd, env, stdin: stdin ?? null, stdout: "pipe", stderr: "pipe" })
}

/** Runs the real command line to its end. */
export const dandori = (cwd: string, ...args: ReadonlyArray<string>): Effect.Effect<Said> =>
  dandoriWith({}, cwd, ...args)

/** The same, with these variables in its environment. */
export const dandoriWith = (
  env: Readonly<Record<string, string>>,
  cwd: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Said> =>
  Effect.promise(async () => {
    const child = start(cwd, args, undefined, env)
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { code, out, err }
  })

/** The lines of NDJSON. */
export const ndjson = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

/** The wall clock, `millis` ahead of the machine's. */
export const shifted = (millis: number) =>
  Effect.provideServiceEffect(
    Clock.Clock,
    Effect.map(Clock.Clock, (clock): Clock.Clock => {
      const now = () => clock.currentTimeMillisUnsafe() + millis
      return Object.assign(Object.create(clock), { currentTimeMillisUnsafe: now, currentTimeMillis: Effect.sync(now) })
    }),
  )

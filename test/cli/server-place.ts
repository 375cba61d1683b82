import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, says, ticking, until } from "./daemon-project.ts"
import { type Said, dandori, start } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A command that goes on, with variables of its own. */
export const started = (cwd: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const child = start(cwd, args, undefined, env)
  const told = { out: "", err: "" }
  const read = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) told[to] += decoder.decode(chunk, { stream: true })
  }
  const all = Promise.all([read(child.stdout, "out"), read(child.stderr, "err"), child.exited])
  return {
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    out: () => told.out,
    says: (pattern: RegExp) => until(Effect.sync(() => pattern.exec(told.err) ?? undefined)),
    said: Effect.promise((): Promise<Said> => all.then(([, , code]) => ({ code, ...told }))),
  }
}

/** A folder in which there is no project. */
export const empty = Effect.acquireRelease(
  Effect.promise(async () => Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori-far-")))),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
)

const pipelines: Readonly<Record<string, string>> = {
  often: ticking("often", "0 0 * * *", ["sh", "-c", "test $0 != n=7", "n=${{ params.n }}"]),
  long: ticking("long", "0 0 * * *", ["sh", "-c", "while ! test -e go; do sleep 0.05; done"]),
  asking: "version: 1\nid: asking\ntasks:\n  go: { uses: actor, approval: { approvers: 1 }, with: { say: hello } }\n",
}

/** A daemon with pipelines, and the command line in an empty folder that knows its URL and holds a token. */
export const serving = Effect.fnUntraced(function* (maxRuns = 16) {
  const folder = yield* project
  const file = "configs/base/daemon.yaml"
  const usual = yield* Effect.promise(() => Fs.readFile(join(folder, file), "utf8"))
  yield* write(folder, file, usual.replace(/max_runs: \d+/, `max_runs: ${maxRuns}`))
  for (const [id, text] of Object.entries(pipelines)) {
    yield* write(
      folder,
      `pipelines/${id}.yaml`,
      text.replace("tasks:", "params: { n: { type: integer, default: 1 } }\ntasks:"),
    )
  }
  const process = yield* daemon(folder)
  const [, url = ""] = yield* says(process, /The API listens on (\S+)/)
  yield* says(process, /Leading/)
  const far = yield* empty
  const token = Effect.fnUntraced(function* (name: string, role: string) {
    const { err, out } = yield* dandori(folder, "token", "create", name, "--role", role, "--quiet")
    return /dandori_\S+/.exec(`${out}${err}`)?.[0] ?? assert.fail(`${out}${err}`)
  })
  const as = (text: string) => ({ DANDORI_TOKEN: text, DANDORI_SERVER: url })
  const operator = as(yield* token("olga", "operator"))
  const call = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
    Effect.suspend(() => started(far, args, env).said)
  const ask = (...args: ReadonlyArray<string>): Effect.Effect<Said> => call(operator, ...args)
  yield* until(
    Effect.map(ask("schedule", "list", "--json"), ({ code, out }) =>
      code === 0 && out.includes("long") ? out : undefined,
    ),
  )
  return { folder, process, url, far, token, as, operator, call, ask }
})
export const served = serving()

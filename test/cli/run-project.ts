import * as Fs from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as EvidenceProject from "./evidence-project.ts"

const repository = resolve(import.meta.dirname, "../..")
const from = (path: string) => JSON.stringify(join(repository, path))

/** A task type that does as it is told: says something, fails a while, hangs, holds on to its child. */
const actor = `
import * as Effect from ${from("node_modules/effect/dist/Effect.js")}
import * as Schema from ${from("node_modules/effect/dist/Schema.js")}
import { taskType } from ${from("src/authoring/task-type.ts")}
import { Attempt } from ${from("src/services/attempt.ts")}
import { Processes } from ${from("src/services/processes.ts")}
import { Progress } from ${from("src/services/progress.ts")}

class NotYet extends Schema.TaggedError<NotYet>()("NotYet", { attempt: Schema.Int }) {
  readonly transient = true
  override get message() {
    return "the bank does not answer\\nask it again"
  }
}

const Input = Schema.Struct({
  say: Schema.String,
  succeedsAt: Schema.optionalKey(Schema.Int),
  hangs: Schema.optionalKey(Schema.Boolean),
  stubborn: Schema.optionalKey(Schema.Boolean),
})

export default taskType({
  type: "actor",
  version: 1,
  description: "Does as it is told.",
  input: Input,
  output: Schema.Struct({ said: Schema.String, warnings: Schema.Array(Schema.String), synthetic: Schema.Boolean }),
  effects: "pure",
  run: Effect.fn(function* (input) {
    const attempt = yield* Attempt
    const progress = yield* Progress
    const processes = yield* Processes
    yield* attempt.log(input.say)
    yield* progress.report({ done: 3, total: 4, unit: "acts" })
    if (attempt.attempt < (input.succeedsAt ?? 1)) return yield* new NotYet({ attempt: attempt.attempt })
    if (input.hangs) yield* Effect.never
    if (input.stubborn) {
      const script = 'trap "" INT TERM; echo holding on; while :; do sleep 0.05; done'
      yield* processes.run({ argv: ["sh", "-c", script], graceMillis: 300000, onStdout: attempt.log })
    }
    return { said: input.say, warnings: ["the stage is small"], synthetic: true }
  }),
})
`

const pipelines = {
  good: `
  first: { uses: actor, with: { say: hello } }
  second: { uses: command, needs: [first], with: { argv: [sh, -c, 'printf "one\\n\\033[31mtwo\\033[0m\\n"'] } }`,
  flaky: `
  flaky: { uses: actor, retry: { attempts: 2, backoff: { initial: 1ms, jitter: none } }, with: { say: trying, succeedsAt: 2 } }`,
  bad: `
  broken: { uses: command, with: { argv: [sh, -c, 'echo no such bank >&2; exit 3'] } }
  after: { uses: actor, needs: [broken], with: { say: never } }`,
  cached: `
  kept: { uses: actor, cache: true, with: { say: once } }`,
  hanging: `
  hanging: { uses: actor, with: { say: hanging about, hangs: true } }
  later: { uses: actor, needs: [hanging], with: { say: never } }`,
  stubborn: `
  stubborn: { uses: actor, with: { say: begin, stubborn: true } }`,
}

/** A project with a task type of its own and small pipelines, in a folder with a space in its name. */
export const project = Effect.tap(EvidenceProject.project, (folder) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(folder, "tasks/actor"), { recursive: true })
    await Fs.mkdir(join(folder, "pipelines"))
    await Fs.writeFile(join(folder, "tasks/actor/index.ts"), actor)
    for (const [id, tasks] of Object.entries(pipelines)) {
      await Fs.writeFile(join(folder, `pipelines/${id}.yaml`), `version: 1\nid: ${id}\ntasks:${tasks}\n`)
    }
  }),
)

/** What was on a terminal, and how the command line ended. */
export interface Shown {
  readonly code: number
  readonly screen: string
}

/** Runs the real command line on a pseudo-terminal; types `\u0003` (Ctrl-C) each time that the next text has come up. */
export const onTerminal = (cwd: string, args: ReadonlyArray<string>, interruptAfter: ReadonlyArray<string> = []) =>
  Effect.promise(async (): Promise<Shown> => {
    const { SERVICE_ENV: _env, DANDORI_HOME: _home, NO_COLOR: _colour, ...env } = process.env
    const waiting = [...interruptAfter]
    let screen = ""
    let since = 0
    const child = Bun.spawn([join(repository, "node_modules/.bin/bun"), join(repository, "src/cli/main.ts"), ...args], {
      cwd,
      env: { ...env, TERM: "xterm-256color" },
      terminal: {
        cols: 100,
        rows: 20,
        data: (terminal, bytes) => {
          screen += new TextDecoder().decode(bytes)
          if (waiting[0] !== undefined && screen.indexOf(waiting[0], since) >= 0) {
            waiting.shift()
            since = screen.length
            terminal.write("\u0003")
          }
        },
      },
    })
    return { code: await child.exited, screen }
  })

import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, project } from "./evidence-project.ts"

const greeter = `import { taskType } from "dandori"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
export default taskType({
  type: "greet", version: 1, description: "greets", effects: "pure",
  input: Schema.Struct({ name: Schema.String }),
  output: Schema.Struct({ greeting: Schema.String }),
  run: ({ name }) => Effect.succeed({ greeting: name }),
})
`
const yaml = `# lost on the way
version: 1
id: hi
params: { who: { type: string, default: world } }
tasks:
  say: { uses: greet, with: { name: '\${{ params.who }}' } }
  tell: { uses: notify, with: { channel: ml-ops, text: '\${{ tasks.say.greeting }}!' } }
`

const withProject = Effect.gen(function* () {
  const folder = yield* project
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(folder, "pipelines"))
    await Fs.mkdir(join(folder, "tasks/greet"), { recursive: true })
    await Fs.writeFile(join(folder, "tasks/greet/index.ts"), greeter)
    await Fs.writeFile(join(folder, "pipelines/hi.yaml"), yaml)
  })
  return folder
})
const text = (folder: string, name: string) => Effect.promise(() => Fs.readFile(join(folder, name), "utf8"))
const digest = (folder: string, file: string) =>
  Effect.map(dandori(folder, "compile", "--digest", file), ({ err, out }) => (out === "" ? err : out))

describe("dandori convert", () => {
  it.live("writes TypeScript that imports the project's task types, and YAML again, with the same digest", () =>
    Effect.gen(function* () {
      const folder = yield* withProject
      const first = yield* dandori(folder, "convert", "hi", "--to", "ts", "--output", "pipelines/hi.ts")
      assert.strictEqual(first.code, 0, first.err)
      assert.include(yield* text(folder, "pipelines/hi.ts"), 'import greet from "../tasks/greet/index.ts"')
      const expected = yield* digest(folder, "pipelines/hi.yaml")
      assert.match(expected, /^[0-9a-f]{64}\n$/)
      assert.strictEqual(yield* digest(folder, "pipelines/hi.ts"), expected)
      const back = yield* dandori(folder, "convert", "hi", "--to", "yaml", "-o", "again.yaml")
      assert.strictEqual(back.code, 0, back.err)
      assert.strictEqual(yield* digest(folder, "again.yaml"), expected)
      assert.strictEqual((yield* dandori(folder, "fmt", "--check", "again.yaml")).code, 0)
    }).pipe(Effect.scoped),
  )

  it.live("prints without --output, never writes over another file, and has nothing to do the second time", () =>
    Effect.gen(function* () {
      const folder = yield* withProject
      const printed = yield* dandori(folder, "convert", "pipelines/hi.yaml", "--to", "ts")
      assert.strictEqual(printed.code, 0, printed.err)
      const args = ["convert", "pipelines/hi.yaml", "--to", "ts", "--output", "pipelines/hi.ts"]
      assert.strictEqual((yield* dandori(folder, ...args)).code, 0)
      assert.strictEqual(yield* text(folder, "pipelines/hi.ts"), printed.out)
      const second = yield* dandori(folder, ...args)
      assert.deepInclude(second, { code: 0, err: "pipelines/hi.ts is up to date\n" })
      yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/hi.ts"), "mine"))
      const refused = yield* dandori(folder, ...args)
      assert.strictEqual(refused.code, 74)
      assert.include(refused.err, "it exists already and is not replaced")
      assert.strictEqual(yield* text(folder, "pipelines/hi.ts"), "mine")
    }).pipe(Effect.scoped),
  )

  it.live("imports a pipeline that is used, once that is there in TypeScript", () =>
    Effect.gen(function* () {
      const folder = yield* withProject
      const outer = "version: 1\nid: outer\ntasks: { greet: { uses: pipeline/hi, with: { who: you } } }\n"
      yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/outer.yaml"), outer))
      const refused = yield* dandori(folder, "convert", "outer", "--to", "ts")
      assert.deepInclude(refused, { code: 64, out: "" })
      assert.include(refused.err, "First: dandori convert hi --to ts --output pipelines/hi.ts")
      yield* dandori(folder, "convert", "hi", "--to", "ts", "--output", "pipelines/hi.ts")
      const written = yield* dandori(folder, "convert", "outer", "--to", "ts", "--output", "pipelines/outer.ts")
      assert.strictEqual(written.code, 0, written.err)
      assert.include(yield* text(folder, "pipelines/outer.ts"), 'import hi from "./hi.ts"')
      assert.strictEqual(yield* digest(folder, "pipelines/outer.ts"), yield* digest(folder, "pipelines/outer.yaml"))
    }).pipe(Effect.scoped),
  )

  it.live("refuses a pipeline with mistakes, its own language, and an output that is named otherwise", () =>
    Effect.gen(function* () {
      const folder = yield* withProject
      const same = yield* dandori(folder, "convert", "hi", "--to", "yaml")
      assert.strictEqual(same.code, 64)
      assert.include(same.err, 'pipelines/hi.yaml is in YAML already. "dandori fmt pipelines/hi.yaml" formats it.')
      const ending = yield* dandori(folder, "convert", "hi", "--to", "ts", "-o", "hi.yaml")
      assert.deepInclude(ending, { code: 64, err: "hi.yaml must end with .ts.\n" })
      yield* Effect.promise(() => Fs.writeFile(join(folder, "bad.yaml"), yaml.replace("params.who", "params.woh")))
      const { code, err, out } = yield* dandori(folder, "convert", "bad.yaml", "--to", "ts")
      assert.deepInclude({ code, out }, { code: 65, out: "" })
      assert.include(err, 'bad.yaml:6:49: params has no field "woh"')
    }).pipe(Effect.scoped),
  )
})

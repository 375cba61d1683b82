import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as LanguageServer from "../support/language-server.ts"
import { dandori } from "./evidence-project.ts"

const repository = resolve(import.meta.dirname, "../..")

/** A folder with a space in its name that goes with the scope. */
const place = Effect.acquireRelease(
  Effect.promise(async () => Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori init ")))),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
)

const filesBelow = (folder: string) =>
  Effect.promise(async () => {
    const names = await Fs.readdir(folder, { recursive: true, withFileTypes: true })
    const files = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name))
    return files.map((file) => file.slice(folder.length + 1)).toSorted()
  })

const read = (...path: ReadonlyArray<string>) => Effect.promise(() => Fs.readFile(join(...path), "utf8"))
const write = (path: string, text: string) => Effect.promise(() => Fs.writeFile(path, text))

/** A project as `dandori init` makes it, with what `npm install` would put there as links. */
const project = Effect.gen(function* () {
  const parent = yield* place
  const made = yield* dandori(parent, "init", "my project")
  assert.strictEqual(made.code, 0, made.err)
  const folder = join(parent, "my project")
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(folder, "node_modules"))
    await Fs.symlink(repository, join(folder, "node_modules", "dandori"))
    for (const name of ["bun-types", "typescript"]) {
      await Fs.symlink(join(repository, "node_modules", name), join(folder, "node_modules", name))
    }
  })
  return folder
})

/** Runs a script of the project's package.json, as npm would. */
const script = (folder: string, name: string) =>
  Effect.promise(async () => {
    const path = `${join(repository, "node_modules/.bin")}:${process.env.PATH}`
    const child = Bun.spawn([join(repository, "node_modules/.bin/bun"), "run", name], {
      cwd: folder,
      env: { ...process.env, PATH: path },
      stdout: "pipe",
      stderr: "pipe",
    })
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { code, said: `${out}${err}` }
  })

const shout = `
import { taskType } from "dandori"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export default taskType({
  type: "shout",
  version: 1,
  description: "Says it loudly",
  input: Schema.Struct({ text: Schema.String, times: Schema.optionalKey(Schema.Int) }),
  output: Schema.Struct({ shouted: Schema.String }),
  effects: "pure",
  run: ({ text, times = 1 }) => Effect.succeed({ shouted: text.toUpperCase().repeat(times) }),
})
`

const loud = `version: 1
id: loud
tasks:
  greet: { uses: greet, with: { name: Ada } }
  shout: { uses: shout, with: { text: '\${{ tasks.greet.greeting }}', times: 2 } }
`

const loudInTypeScript = `import { pipeline } from "dandori"
import greet from "../tasks/greet/index.ts"
import shout from "../tasks/shout/index.ts"

export default pipeline("loud", {}, ({ task }) => {
  const greeted = task("greet", greet, { name: "Ada" })
  const shouted = task("shout", shout, { text: greeted.greeting, times: 2 })
  task("again", shout, { text: shouted.shouted })
  task("wrong", shout, { text: greeted.greting })
})
`

describe("dandori init", () => {
  it.live("makes a project that type-checks", () =>
    Effect.gen(function* () {
      const checked = yield* script(yield* project, "check")
      assert.strictEqual(checked.code, 0, checked.said)
    }),
  )

  it.live("makes a project that runs in both languages, tests and validates", () =>
    Effect.gen(function* () {
      const folder = yield* project
      for (const id of ["hello", "hello-ts"]) {
        const ran = yield* dandori(folder, "run", id, "--param", "name=Ada")
        assert.strictEqual(ran.code, 0, ran.err)
        assert.include(ran.err, "Hello, Ada")
      }
      // What its configuration says of keeping is done by a pipeline of its own.
      const kept = yield* dandori(folder, "run", "retention")
      assert.strictEqual(kept.code, 0, kept.err)
      const tested = yield* script(folder, "test")
      assert.strictEqual(tested.code, 0, tested.said)
      assert.include(tested.said, "4 pass")
      assert.strictEqual((yield* dandori(folder, "validate")).code, 0)
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.live("makes a project whose own task type an editor completes and checks in YAML", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const settings = JSON.parse(yield* read(folder, ".vscode/settings.json"))
      const editor = yield* LanguageServer.start(folder, settings)
      const begun = "version: 1\nid: mine\ntasks:\n  one:\n    uses: "
      assert.includeMembers([...(yield* editor.complete("pipelines/mine.yaml", begun))], ["greet", "command", "notify"])
      const inside = `${begun}greet\n    with:\n      `
      assert.includeMembers([...(yield* editor.complete("pipelines/mine.yaml", inside))], ["name", "excited"])
      const wrong = yield* editor.problems("pipelines/mine.yaml", `${inside}nmae: Ada\n`)
      assert.include(wrong.join("\n"), "nmae")
      const hello = yield* read(folder, "pipelines/hello.yaml")
      assert.deepStrictEqual(yield* editor.problems("pipelines/hello.yaml", hello), [])
    }),
  )

  it.live("makes a project in which a second task type works as its README says, without a list to add it to", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* Effect.promise(() => Fs.mkdir(join(folder, "tasks/shout")))
      yield* write(join(folder, "tasks/shout/index.ts"), shout)
      yield* write(join(folder, "pipelines/loud.yaml"), loud)
      const ran = yield* dandori(folder, "run", "loud", "--json")
      assert.strictEqual(ran.code, 0, ran.err)
      assert.include(ran.out, "HELLO, ADAHELLO, ADA")
      assert.strictEqual((yield* dandori(folder, "schema", "--out", "schema/pipeline.schema.json")).code, 0)
      assert.include(yield* read(folder, "schema/pipeline.schema.json"), '"with.shout"')
      yield* write(join(folder, "pipelines/loud.yaml"), loud.replace("times: 2", "time: 2"))
      const refused = yield* dandori(folder, "validate", "loud")
      assert.strictEqual(refused.code, 65)
      assert.include(refused.err, 'Did you mean "times"')
    }),
  )

  it.live("finds the one mistake in the types of a pipeline that uses both task types", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* Effect.promise(() => Fs.mkdir(join(folder, "tasks/shout")))
      yield* write(join(folder, "tasks/shout/index.ts"), shout)
      yield* write(join(folder, "pipelines/loud.ts"), loudInTypeScript)
      const checked = yield* script(folder, "check")
      assert.notStrictEqual(checked.code, 0)
      const mistakes = checked.said.split("\n").filter((line) => line.includes("error TS"))
      assert.strictEqual(mistakes.length, 1, checked.said)
      assert.include(mistakes[0], "greting")
    }),
  )

  it.live("takes the files of a project from the program itself, wherever that lies", () =>
    Effect.gen(function* () {
      const folder = yield* place
      const built = yield* Effect.promise(() =>
        Bun.build({ entrypoints: [join(repository, "src/cli/init/files.ts")], outdir: folder, target: "bun" }),
      )
      assert.isTrue(built.success)
      const { fixed } = (yield* Effect.promise(
        () => import(join(folder, "files.js")),
      )) as typeof import("../../src/cli/init/files.ts")
      const texts = new Map(fixed)
      assert.strictEqual(texts.get("configs/base/dq.yaml"), yield* read(repository, "configs/base/dq.yaml"))
      for (const [path, text] of texts) assert.isTrue(typeof text === "string" && text.length > 0, path)
    }),
  )

  it.live("ships the whole configuration that ships with the program", () =>
    Effect.gen(function* () {
      const folder = yield* place
      yield* dandori(folder, "init", "new")
      const made = (yield* filesBelow(join(folder, "new"))).filter((file) => file.startsWith("configs/"))
      const shipped = yield* filesBelow(join(repository, "configs"))
      assert.deepStrictEqual(
        made,
        shipped.map((file) => `configs/${file}`),
      )
    }),
  )

  it.live("writes nothing where it would overwrite, says what, and exits 73; the same again changes nothing", () =>
    Effect.gen(function* () {
      const folder = yield* place
      yield* write(join(folder, "README.md"), "mine\n")
      const refused = yield* dandori(folder, "init")
      assert.strictEqual(refused.code, 73)
      assert.include(refused.err, "  README.md\n")
      assert.deepStrictEqual(yield* filesBelow(folder), ["README.md"])

      const forced = yield* dandori(folder, "init", ".", "--force")
      assert.strictEqual(forced.code, 0, forced.err)
      assert.include(forced.out, "overwrote README.md")
      assert.notStrictEqual(yield* read(folder, "README.md"), "mine\n")

      const before = yield* filesBelow(folder)
      const again = yield* dandori(folder, "init")
      assert.strictEqual(again.code, 0, again.err)
      assert.include(again.out, "nothing new to write")
      assert.deepStrictEqual(yield* filesBelow(folder), before)

      yield* Effect.promise(() => Fs.rm(join(folder, "tsconfig.json")))
      const rest = yield* dandori(folder, "init")
      assert.include(rest.out, "wrote 1 file in")
      assert.deepStrictEqual(yield* filesBelow(folder), before)
    }),
  )

  it.live("says when it cannot write, and where", () =>
    Effect.gen(function* () {
      const folder = yield* place
      yield* write(join(folder, "taken"), "a file\n")
      const refused = yield* dandori(folder, "init", "taken")
      assert.strictEqual(refused.code, 73)
      assert.include(refused.err, join(folder, "taken"))
      assert.strictEqual(yield* read(folder, "taken"), "a file\n")
    }),
  )

  it.live("tells machines what it wrote", () =>
    Effect.gen(function* () {
      const folder = yield* place
      const { code, out } = yield* dandori(folder, "init", "new", "--json")
      assert.strictEqual(code, 0)
      const said = JSON.parse(out) as { folder: string; written: ReadonlyArray<string> }
      assert.strictEqual(said.folder, join(folder, "new"))
      assert.sameMembers([...said.written], [...(yield* filesBelow(join(folder, "new")))])
    }),
  )
})

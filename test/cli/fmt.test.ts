import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, project, start } from "./evidence-project.ts"

const untidy = 'id: "a"\nversion: 1 # one\ntasks: {t: {with: {argv: [echo]}, uses: command}}\n'
const tidy = "version: 1 # one\nid: a\ntasks:\n  t:\n    uses: command\n    with: { argv: [echo] }\n"
const broken = "version: 1\nid: [a\n"

const withPipelines = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const folder = yield* project
    yield* Effect.promise(async () => {
      await Fs.mkdir(join(folder, "pipelines"))
      for (const [name, text] of Object.entries(files)) await Fs.writeFile(join(folder, "pipelines", name), text)
    })
    return folder
  })
const text = (folder: string, name: string) =>
  Effect.promise(() => Fs.readFile(join(folder, "pipelines", name), "utf8"))

const piped = (cwd: string, input: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const child = start(cwd, args, new Blob([input]))
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { code, out, err }
  })

describe("dandori fmt", () => {
  it.live("formats all of pipelines/, leaves TypeScript and says so, and has nothing to do the second time", () =>
    Effect.gen(function* () {
      const folder = yield* withPipelines({ "a.yaml": untidy, "b.yml": tidy, "c.ts": "export default 1" })
      yield* Effect.promise(() => Fs.chmod(join(folder, "pipelines/a.yaml"), 0o600))
      const first = yield* dandori(folder, "fmt")
      assert.strictEqual(first.code, 0, first.err)
      assert.strictEqual(first.out, "formatted  pipelines/a.yaml\n")
      assert.include(first.err, "Leaving pipelines/c.ts: TypeScript")
      assert.strictEqual(yield* text(folder, "a.yaml"), tidy)
      const { mode } = yield* Effect.promise(() => Fs.stat(join(folder, "pipelines/a.yaml")))
      assert.strictEqual(mode & 0o777, 0o600)
      const second = yield* dandori(folder, "fmt")
      assert.deepInclude(second, { code: 0, out: "" })
      const left = yield* Effect.promise(() => Fs.readdir(join(folder, "pipelines")))
      assert.deepStrictEqual(left.toSorted(), ["a.yaml", "b.yml", "c.ts"])
    }).pipe(Effect.scoped),
  )

  it.live("with --check changes nothing, lists what would change and exits with 1", () =>
    Effect.gen(function* () {
      const folder = yield* withPipelines({ "a.yaml": untidy, "b.yaml": tidy })
      assert.deepInclude(yield* dandori(folder, "fmt", "--check"), { code: 1, out: "pipelines/a.yaml\n" })
      const { code, out } = yield* dandori(folder, "fmt", "--check", "--json", "a", "pipelines/b.yaml")
      assert.strictEqual(code, 1)
      assert.deepStrictEqual(ndjson(out), [
        { v: 1, kind: "fmt", file: "pipelines/a.yaml", ok: true, changed: true },
        { v: 1, kind: "fmt", file: "pipelines/b.yaml", ok: true, changed: false },
      ])
      assert.strictEqual(yield* text(folder, "a.yaml"), untidy)
      assert.strictEqual((yield* dandori(folder, "fmt", "--check", "b")).code, 0)
    }).pipe(Effect.scoped),
  )

  it.live("leaves a file with mistakes alone, shows their places, formats the others and exits with 65", () =>
    Effect.gen(function* () {
      const folder = yield* withPipelines({ "a.yaml": untidy, "b.yaml": broken })
      const { code, err } = yield* dandori(folder, "fmt", "pipelines/b.yaml", "pipelines/a.yaml", "pipelines/none.yaml")
      assert.strictEqual(code, 66)
      assert.match(err, /^pipelines\/b\.yaml:\d+:\d+: This is not valid YAML/m)
      assert.include(err, "No pipeline at pipelines/none.yaml")
      assert.strictEqual(yield* text(folder, "a.yaml"), tidy)
      assert.strictEqual(yield* text(folder, "b.yaml"), broken)
      assert.strictEqual((yield* dandori(folder, "fmt", "--check", "b")).code, 65)
    }).pipe(Effect.scoped),
  )

  it.live("refuses a TypeScript file that is named", () =>
    Effect.gen(function* () {
      const folder = yield* withPipelines({ "a.yaml": untidy, "c.ts": "export default 1" })
      const { code, err } = yield* dandori(folder, "fmt", "pipelines/a.yaml", "pipelines/c.ts")
      assert.strictEqual(code, 64)
      assert.include(err, "pipelines/c.ts is not YAML. fmt formats pipelines in YAML only")
      assert.strictEqual(yield* text(folder, "a.yaml"), untidy)
    }).pipe(Effect.scoped),
  )

  it.live("reads standard input and prints the result, in a folder of no project too", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const elsewhere = join(folder, "..")
      assert.deepInclude(yield* piped(elsewhere, untidy, "fmt", "-"), { code: 0, out: tidy })
      assert.strictEqual((yield* piped(elsewhere, untidy, "fmt", "--check", "-")).code, 1)
      const refused = yield* piped(elsewhere, broken, "fmt", "-")
      assert.strictEqual(refused.code, 65)
      assert.match(refused.err, /^standard input:\d+:\d+: /)
    }).pipe(Effect.scoped),
  )
})

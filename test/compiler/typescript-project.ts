import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { compileFile } from "../../src/compiler/compile-file.ts"
import { PipelineInvalid } from "../../src/compiler/diagnostic.ts"
import * as Catalog from "../../tasks/catalog.ts"

/** A project away from this checkout, with these files. */
export const project = (files: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const root = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "dandori typescript-")))
      for (const [path, text] of Object.entries(files)) {
        await Fs.mkdir(dirname(join(root, path)), { recursive: true })
        await Fs.writeFile(join(root, path), text)
      }
      return root
    }),
    (root) => Effect.promise(() => Fs.rm(root, { recursive: true, force: true })),
  )

export const compiled = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const root = yield* project(files)
    return yield* compileFile(join(root, "pipelines/p.ts")).pipe(Effect.provide(Catalog.layer(root)))
  }).pipe(Effect.scoped)

export const told = (text: string) =>
  compiled({ "pipelines/p.ts": text }).pipe(
    Effect.flip,
    Effect.map((error) =>
      error instanceof PipelineInvalid
        ? error.diagnostics.map(({ line, column, message }) => `${line}:${column} ${message}`)
        : [error.message],
    ),
  )

export const head = `import { pipeline } from "dandori"
import { command, notify, seed, train } from "dandori/tasks"
`

/** The plan of a project's pipeline, compiled as this program compiles it outside of a test runner. */
export const printed = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const root = yield* project(files)
    const script = fileURLToPath(new URL("fixtures/print-plan.ts", import.meta.url))
    return yield* Effect.promise(() =>
      Bun.$`${process.execPath} ${script} ${root} ${root}/pipelines/p.ts`.quiet().text(),
    )
  }).pipe(Effect.scoped)

export const hello = (type: string) => `import { taskType } from "dandori"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
export default taskType({
  type: "${type}", version: 7, description: "greets", effects: "pure",
  input: Schema.Struct({ name: Schema.String }),
  output: Schema.Struct({ greeting: Schema.String }),
  run: ({ name }) => Effect.succeed({ greeting: name }),
})
`

export const greeting = `import { pipeline } from "dandori"
import * as Schema from "effect/Schema"
import hello from "../tasks/hello/index.ts"
export default pipeline("p", { params: { who: Schema.String } }, ({ params, task }) => {
  for (const n of [1, 2]) task(\`hello_\${n}\`, hello, { name: \`\${params.who} \${n}\` })
})
`

import { basename, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as PipelineSchema from "../compiler/pipeline-schema.ts"
import program from "../../package.json"
import * as Catalog from "../../tasks/catalog.ts"
import { exitCodes } from "./exit-code.ts"
import * as Files from "./init/files.ts"
import * as Output from "./output.ts"
import { count } from "./plain-text.ts"
import { root } from "./root.ts"

/** Files of a new project are there already, with other content. Nothing was written. */
export class WouldOverwrite extends Schema.TaggedError<WouldOverwrite>()("WouldOverwrite", {
  folder: Schema.String,
  files: Schema.Array(Schema.String),
}) {
  readonly exitCode = exitCodes.cannotCreate
  override get message() {
    const list = this.files.map((file) => `  ${file}`).join("\n")
    return `Nothing was written to ${this.folder}: these are there already, with other content.\n${list}\nName another folder, move them away, or overwrite them with --force`
  }
}

/** The project could not be written. */
export class InitFailed extends Schema.TaggedError<InitFailed>()("InitFailed", {
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly exitCode = exitCodes.cannotCreate
  override get message() {
    return `${this.path} cannot be written: ${this.reason}`
  }
}

const schemaFile = "schema/pipeline.schema.json"

/** The folder of the checkout that this program runs from; none for the binary, which needs no checkout. */
const checkout = (): string | undefined =>
  /\$bunfs|~BUN/.test(import.meta.url) ? undefined : fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")

/** A package's name after the folder's; never `dandori`, which is the program's. */
const packageName = (folder: string): string => {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
  return name === "" || name === program.name ? `${program.name}-project` : name
}

const manifest = (folder: string, source: string | undefined): string => {
  const { "bun-types": types, typescript } = program.devDependencies
  const dependencies = source === undefined ? {} : { dandori: `file:${relative(folder, source)}` }
  const json = {
    name: packageName(folder),
    private: true,
    type: "module",
    scripts: {
      validate: "dandori validate",
      schema: `dandori schema --out ${schemaFile}`,
      check: "tsc --noEmit",
      test: "bun test",
    },
    devDependencies: { bun: program.dependencies.bun, "bun-types": types, ...dependencies, typescript },
  }
  return `${JSON.stringify(json, null, 2)}\n`
}

/** How people call the program in the project: as the package of the checkout, or as the binary on their PATH. */
const callOf = (source: string | undefined): string => (source === undefined ? "dandori" : "npx dandori")

const setupText = (source: string | undefined): string =>
  source === undefined
    ? "Pipelines run with the `dandori` binary alone. Types and tests want Dandori's sources too: once, with the folder of\na checkout in which `npm install` was run, `npm install --save-dev <checkout>`."
    : "Dandori comes from a checkout beside this project: `package.json` names its folder (`file:…`), in which `npm install`\nhas to be run once. Where it lies elsewhere, change that line."

const filesOf = (folder: string, source: string | undefined): ReadonlyArray<Files.ProjectFile> => [
  ...Files.fixed,
  ["package.json", manifest(folder, source)],
  ["README.md", Files.readmeOf({ name: basename(folder), setup: setupText(source), dandori: callOf(source) })],
]

const failed = (path: string) => (error: { readonly message: string }) =>
  new InitFailed({ path, reason: error.message })

/** What lies at a path: nothing, the text of a file, or something that is no readable file. */
const textAt = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(path).pipe(Effect.mapError(failed(path))))) return undefined
  return yield* fs.readFileString(path).pipe(Effect.orElseSucceed(() => null))
})

const write = Effect.fnUntraced(
  function* (path: string, text: string, replace: boolean) {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory((yield* Path.Path).dirname(path), { recursive: true })
    yield* fs.writeFileString(path, text, { flag: replace ? "w" : "wx" })
  },
  (effect, path) => Effect.mapError(effect, failed(path)),
)

/** The schema of the project's pipelines, its own task types included; one that is there is only renewed by force. */
const writeSchema = Effect.fnUntraced(function* (folder: string, force: boolean) {
  const path = join(folder, schemaFile)
  const text = yield* PipelineSchema.generate.pipe(Effect.provide(Catalog.layer(folder)))
  const before = yield* textAt(path)
  if (before === text) return "same" as const
  if (before !== undefined && !force) return "left" as const
  yield* write(path, text, before !== undefined)
  return before === undefined ? ("new" as const) : ("replaced" as const)
})

const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`)

const nextSteps = (shown: string, source: string | undefined): ReadonlyArray<string> => [
  "Next:",
  ...(shown === "" ? [] : [`  cd ${quoted(shown)}`]),
  ...(source === undefined ? [] : ["  npm install"]),
  `  ${callOf(source)} run hello`,
  source === undefined ? "README.md says how to get types and tests" : "  npm test",
]

/**
 * Makes a project in a folder, which may be there already. A file that is there with the same text stays; when one has
 * another text, nothing at all is written, unless `force` is given. Needs no network.
 */
export const initProject = Effect.fnUntraced(function* (given: string, force: boolean) {
  const flags = yield* root
  const folder = resolve(given)
  const source = checkout()
  const files = yield* Effect.forEach(filesOf(folder, source), ([file, text]) =>
    Effect.map(textAt(join(folder, file)), (before) => ({ file, text, before })),
  )
  const others = files.filter(({ text, before }) => before !== undefined && before !== text)
  if (others.length > 0 && !force) {
    return yield* new WouldOverwrite({ folder, files: others.map(({ file }) => file) })
  }
  const missing = files.filter(({ before }) => before === undefined)
  for (const { file, text, before } of [...missing, ...others]) {
    yield* write(join(folder, file), text, before !== undefined)
  }
  const schema = yield* writeSchema(folder, force)
  const of = (kind: typeof schema) => (schema === kind ? [schemaFile] : [])
  const written = [...missing.map(({ file }) => file), ...of("new")]
  const overwritten = [...others.map(({ file }) => file), ...of("replaced")]
  const left = of("left")
  if (flags.json) return yield* Output.json({ v: 1, kind: "init", folder, written, overwritten, left })
  if (flags.quiet) return
  for (const file of overwritten) yield* Output.data(`overwrote ${file}`)
  for (const file of left) yield* Output.data(`left ${file} as it was; dandori schema --out ${file} renews it`)
  const made = written.length === 0 ? "nothing new to write" : `wrote ${count(written.length, "file", "files")}`
  const from = relative(process.cwd(), folder)
  const shown = from.startsWith("..") ? folder : from
  yield* Output.data([`${made} in ${folder}`, ...nextSteps(shown, source)].join("\n"))
})

import { fileURLToPath } from "node:url"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { ofSources } from "../src/services/code-digest.ts"
import { packageFile, platformNames, platformOf } from "./platform.ts"

/**
 * `build.ts [FILE] [--target NAME]` builds `dist/dandori`, or the file that is named, for this machine or the one that is
 * named: one executable with bytecode, DuckDB's library built in. It is split, so that a command loads the parts that it
 * needs: one bundle would be loaded whole before `--version` is answered. A bytecode failure would exit 0 and leave a dead
 * binary, so the output is searched for it, and what was built for this machine is run.
 */
const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "")
const { positionals, values } = parseArgs({ allowPositionals: true, options: { target: { type: "string" } } })
const platform = platformOf(values.target)
if (platform === undefined) {
  process.stderr.write(`build: --target ${values.target}: one of ${platformNames.join(", ")}\n`)
  process.exit(64)
}
const outfile = positionals[0] === undefined ? join(root, "dist", "dandori") : resolve(positionals[0])
const bindings = [
  "linux-x64",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
  "darwin-arm64",
  "darwin-x64",
  "win32-x64",
  "win32-arm64",
]
const versionOf = (name: string) =>
  (JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")) as { version: string }).version
const bindingName = `@duckdb/node-bindings-${platform.duckdb}`
const library = packageFile(root, bindingName, versionOf("@duckdb/node-bindings"), platform.library)
const runtime =
  platform.runtime === undefined
    ? undefined
    : packageFile(root, `@oven/${platform.runtime.name}`, Bun.version, platform.runtime.file)

const generated = join(root, "dist", `main-${process.pid}.ts`)
for (const folder of [dirname(generated), dirname(outfile)]) mkdirSync(folder, { recursive: true })
const sha256 = new Bun.CryptoHasher("sha256").update(readFileSync(library)).digest("hex")
writeFileSync(
  generated,
  `import library from ${JSON.stringify(library)} with { type: "file" }
import { provide } from "../src/services/duckdb-library.ts"
provide(library, "${sha256}")
await import("../src/cli/main.ts")
`,
)
const argv = [
  "build",
  "--compile",
  "--format=esm",
  "--bytecode",
  "--splitting",
  "--minify",
  "--compile-autoload-package-json",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  `--define=DANDORI_CODE_DIGEST=${JSON.stringify(ofSources(root))}`,
  ...(runtime === undefined ? [] : [`--target=${platform.target}`, `--compile-executable-path=${runtime}`]),
  ...bindings
    .filter((name) => name !== `${process.platform}-${process.arch}`)
    .flatMap((name) => ["--external", `@duckdb/node-bindings-${name}`]),
  generated,
  "--outfile",
  outfile,
]
const built = Bun.spawnSync([process.execPath, ...argv], { stdout: "pipe", stderr: "pipe" })
rmSync(generated)
const said = `${built.stdout.toString()}${built.stderr.toString()}`
process.stderr.write(said)
if (built.exitCode !== 0 || said.includes("Failed to generate")) {
  process.stderr.write("build: the executable was not made\n")
  process.exit(1)
}
const size = `${Math.round(Bun.file(outfile).size / 1e6)} MB`
const runsHere = values.target === undefined || platform.duckdb === `${process.platform}-${process.arch}`
if (!runsHere) {
  process.stderr.write(`build: ${outfile}, ${size}, for ${values.target}; it was not run here\n`)
  process.exit(0)
}
const probe = Bun.spawnSync([outfile, "--version"], { cwd: "/", stdout: "pipe", stderr: "inherit" })
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }
if (probe.exitCode !== 0 || probe.stdout.toString() !== `dandori ${version}\n`) {
  process.stderr.write(`build: ${outfile} does not run\n`)
  process.exit(1)
}
process.stderr.write(`build: ${outfile}, ${size}, says ${probe.stdout.toString()}`)

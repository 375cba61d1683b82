import { fileURLToPath } from "node:url"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { ofSources } from "../src/services/code-digest.ts"

/**
 * Builds `dist/dandori`, or the file that is named: one executable with bytecode, DuckDB's library built in. It is split, so that a command loads
 * the parts that it needs: one bundle would be loaded whole before `--version` is answered. A bytecode failure would
 * exit 0 and leave a dead binary, so the output is searched for it and what was built is run.
 */
const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "")
const outfile = process.argv[2] === undefined ? join(root, "dist", "dandori") : resolve(process.argv[2])
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
const here = `${process.platform}-${process.arch}`
const library = join(
  root,
  "node_modules",
  "@duckdb",
  `node-bindings-${here}`,
  process.platform === "darwin" ? "libduckdb.dylib" : "libduckdb.so",
)

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
  ...bindings.filter((name) => name !== here).flatMap((name) => ["--external", `@duckdb/node-bindings-${name}`]),
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
const probe = Bun.spawnSync([outfile, "--version"], { cwd: "/", stdout: "pipe", stderr: "inherit" })
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }
if (probe.exitCode !== 0 || probe.stdout.toString() !== `dandori ${version}\n`) {
  process.stderr.write(`build: ${outfile} does not run\n`)
  process.exit(1)
}
process.stderr.write(
  `build: ${outfile}, ${Math.round(Bun.file(outfile).size / 1e6)} MB, says ${probe.stdout.toString()}`,
)

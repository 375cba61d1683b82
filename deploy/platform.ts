import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"

/** A machine that an executable is made for: its runtime of Bun, and DuckDB's library for it. */
export interface Platform {
  readonly target: string
  readonly runtime: { readonly name: string; readonly file: string } | undefined
  readonly duckdb: string
  readonly library: "libduckdb.so" | "libduckdb.dylib"
}

const here = `${process.platform}-${process.arch}`

/** The platforms by the name that `--target` has, with glibc. Bun's runtime for x64 is its baseline one: it needs no AVX2. */
const named: Readonly<Record<string, Platform>> = {
  "linux-x64": {
    target: "bun-linux-x64",
    runtime: { name: "bun-linux-x64", file: "bin/bun" },
    duckdb: "linux-x64",
    library: "libduckdb.so",
  },
  "linux-arm64": {
    target: "bun-linux-arm64",
    runtime: { name: "bun-linux-aarch64", file: "bin/bun" },
    duckdb: "linux-arm64",
    library: "libduckdb.so",
  },
}

/** The platform of a name, or without one this machine's. */
export const platformOf = (name: string | undefined): Platform | undefined =>
  name === undefined
    ? {
        target: "bun",
        runtime: undefined,
        duckdb: here,
        library: process.platform === "darwin" ? "libduckdb.dylib" : "libduckdb.so",
      }
    : named[name]

export const platformNames = Object.keys(named)

/**
 * A file of a package: of the installed one, else of one that is fetched into `.cache/platforms`. Bun's own installer moves
 * its executable out of the package that it came in.
 */
export const packageFile = (root: string, name: string, version: string, file: string): string => {
  const installed = join(root, "node_modules", name, file)
  if (existsSync(installed)) return installed
  const folder = join(root, ".cache", "platforms", `${name.replace("/", "-")}-${version}`)
  const unpacked = join(folder, "package", file)
  if (existsSync(unpacked)) return unpacked
  mkdirSync(folder, { recursive: true })
  const script = `npm pack --silent ${name}@${version} >/dev/null && tar -xzf *.tgz && rm *.tgz`
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-ec", script], { cwd: folder, stdout: "ignore", stderr: "pipe" })
  if (exitCode !== 0) throw new Error(`${name}@${version} could not be fetched: ${stderr.toString().trim()}`)
  return unpacked
}

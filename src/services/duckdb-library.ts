import { dlopen } from "bun:ffi"
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import { homeFolder } from "./home-folder.ts"
import { join } from "node:path"

let builtIn: { readonly path: string; readonly sha256: string } | undefined

/** Called by the compiled executable: where DuckDB's library is built in, and its digest. */
export const provide = (path: string, sha256: string): void => {
  builtIn = { path, sha256 }
}

/**
 * Opens the built-in library before `@duckdb/node-api` is imported, so that its binding finds it loaded. It is extracted
 * once to the cache folder, under its digest. From a checkout there is nothing to do.
 */
export const open = (): void => {
  if (builtIn === undefined) return
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homeFolder(), ".cache"), "dandori", builtIn.sha256)
  const target = join(folder, "libduckdb.so")
  if (!existsSync(target)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const temporary = `${target}.${process.pid}`
    const fd = openSync(temporary, "w", 0o500)
    writeSync(fd, readFileSync(builtIn.path))
    fsyncSync(fd)
    closeSync(fd)
    renameSync(temporary, target)
  }
  dlopen(target, { duckdb_library_version: { args: [], returns: "cstring" } })
}

import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import { randomBytes } from "node:crypto"

/** How much of what the specification names is moved, from the environment: for trying a bench out. */
export const share = Number(process.env.DANDORI_BENCH_SHARE ?? "1")

const chunkBytes = 8 * 2 ** 20
const chunk = randomBytes(chunkBytes)

/** Writes a file of bytes that no two chunks of it share, so that nothing can pack or deduplicate it. */
export const write = (path: string, bytes: number): void => {
  const fd = openSync(path, "wx")
  for (let at = 0; at < bytes;) {
    for (let i = 0; i < chunkBytes; i += 4096) chunk.writeUInt32LE((Math.random() * 2 ** 32) >>> 0, i)
    at += writeSync(fd, chunk, 0, Math.min(chunkBytes, bytes - at))
  }
  closeSync(fd)
}

/** Bytes that this process has read and written, files and sockets together, the page cache included; Linux only. */
export const moved = (): { readonly read: number; readonly written: number } | undefined => {
  if (process.platform !== "linux") return undefined
  const text = readFileSync("/proc/self/io", "utf8")
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0)
  return { read: field("rchar"), written: field("wchar") }
}

import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { percentile } from "./figure.ts"

/** How long a flush takes on a disk: `fdatasync` after an append of 4 KiB, milliseconds. */
export interface Flush {
  readonly p50: number
  readonly p95: number
  readonly best: number
}

/** Measures the flush of the disk that a folder lies on. */
export const flush = (folder: string, count: number): Flush => {
  const path = join(folder, `flush-${process.pid}`)
  const fd = openSync(path, "a")
  const bytes = Buffer.alloc(4096, 1)
  const times: Array<number> = []
  try {
    for (let i = 0; i < count; i++) {
      writeSync(fd, bytes)
      const start = performance.now()
      fdatasyncSync(fd)
      times.push(performance.now() - start)
    }
  } finally {
    closeSync(fd)
    rmSync(path)
  }
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95), best: Math.min(...times) }
}

/** Device and file system of a folder, as Linux mounts them; elsewhere the platform's name. */
export const device = (folder: string): string => {
  if (process.platform !== "linux") return process.platform
  const mounts = readFileSync("/proc/mounts", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
  const [best] = mounts
    .filter(([, at]) => folder === at || folder.startsWith(at === "/" ? "/" : `${at}/`))
    .toSorted((a, b) => b[1].length - a[1].length)
  return best === undefined ? "unknown disk" : `${best[0]} (${best[2]}, ${best[3].split(",").slice(0, 2).join(",")})`
}

/** The disk of a folder and its flush in one line. */
export const line = (folder: string, { best, p50, p95 }: Flush): string =>
  `${device(folder)}, fdatasync of 4 KiB p50 ${p50.toFixed(2)} ms, best ${best.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms`

import { dlopen, FFIType } from "bun:ffi"
import * as Fs from "node:fs"

/** Puts a device in the place of a file that this process has open: /dev/full takes nothing, /dev/null cannot be flushed. */
export const swap = (path: string, device: string) => {
  const { symbols } = dlopen("libc.so.6", {
    open: { args: [FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
    dup2: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  })
  const fd = Fs.readdirSync("/proc/self/fd").find((name) => {
    try {
      return Fs.readlinkSync(`/proc/self/fd/${name}`) === path
    } catch {
      return false
    }
  })
  const other = symbols.open(Buffer.from(`${device}\0`), 2)
  symbols.dup2(other, Number(fd))
  symbols.close(other)
}

/** Takes a file away, so that it cannot be opened again, and brings it back. */
export const away = (path: string) => Fs.renameSync(path, `${path}.away`)
export const back = (path: string) => Fs.renameSync(`${path}.away`, path)

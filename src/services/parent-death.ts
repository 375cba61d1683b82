import { dlopen, FFIType } from "bun:ffi"

/** Linux' prctl(2): the signal that this process gets when the one that started it is gone. */
const setSignal = 1
const kill = 9

/**
 * Ends this process when the one that started it is gone, even by a SIGKILL, and whatever this one is doing then. Only
 * Linux knows this; elsewhere nothing happens.
 */
export const endWithParent = (): void => {
  if (process.platform !== "linux") return
  const { symbols } = dlopen("libc.so.6", { prctl: { args: [FFIType.i32, FFIType.u64], returns: FFIType.i32 } })
  symbols.prctl(setSignal, kill)
}

/** What the runtime lacks and the C library has: datagrams to a Unix socket, and the clocks of the machine one by one. */
import { dlopen, FFIType, read } from "bun:ffi"

const darwin = process.platform === "darwin"

const functions = {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  sendto: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i64_fast,
  },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
} as const

const open = () =>
  darwin
    ? dlopen("libSystem.B.dylib", { ...functions, __error: { args: [], returns: FFIType.ptr } })
    : dlopen("libc.so.6", { ...functions, __errno_location: { args: [], returns: FFIType.ptr } })
let library: ReturnType<typeof open> | undefined
const symbols = () => (library ??= open()).symbols

/** Names of error numbers that a datagram can meet. */
const names: Readonly<Record<number, string>> = darwin
  ? {
      1: "EPERM",
      2: "ENOENT",
      13: "EACCES",
      20: "ENOTDIR",
      35: "EAGAIN",
      40: "EMSGSIZE",
      55: "ENOBUFS",
      61: "ECONNREFUSED",
    }
  : {
      1: "EPERM",
      2: "ENOENT",
      11: "EAGAIN",
      13: "EACCES",
      20: "ENOTDIR",
      90: "EMSGSIZE",
      91: "EPROTOTYPE",
      105: "ENOBUFS",
      111: "ECONNREFUSED",
    }

const errorName = (): string => {
  const all = symbols()
  const location = "__error" in all ? all.__error() : all.__errno_location()
  const number = location === null ? 0 : read.i32(location)
  return names[number] ?? `errno ${number}`
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const closeOnExec = darwin ? 0 : 0o2000000
/** MSG_DONTWAIT and, where there is one, MSG_NOSIGNAL. */
const flags = darwin ? 0x80 : 0x4040
/** Bytes of `sun_path` (unix(7)). */
const longestPath = darwin ? 104 : 108

/** `sockaddr_un` of a path, or of a name in the abstract namespace (`@name`); undefined where it is neither or too long. */
const addressOf = (name: string): Uint8Array | undefined => {
  const isAbstract = name.startsWith("@")
  if (!isAbstract && !name.startsWith("/")) return undefined
  const path = Buffer.from(isAbstract ? `\0${name.slice(1)}` : `${name}\0`)
  if (path.length > longestPath || path.length < 2) return undefined
  const family = darwin ? [2 + path.length, AF_UNIX] : new Uint8Array(new Uint16Array([AF_UNIX]).buffer)
  return Buffer.concat([new Uint8Array(family), path])
}

/** Sends one datagram to a Unix socket, without ever waiting. Returns the name of what went wrong, if anything did. */
export const sendDatagram = (socket: string, text: string): string | undefined => {
  const address = addressOf(socket)
  if (address === undefined) return "EINVAL"
  const { close, sendto, socket: open } = symbols()
  const fd = open(AF_UNIX, SOCK_DGRAM | closeOnExec, 0)
  if (fd < 0) return errorName()
  const bytes = Buffer.from(text)
  const sent = Number(sendto(fd, bytes, bytes.length, flags, address, address.length))
  const problem = sent === bytes.length ? undefined : errorName()
  close(fd)
  return problem
}

/** CLOCK_MONOTONIC and CLOCK_BOOTTIME of Linux; on macOS CLOCK_UPTIME_RAW and CLOCK_MONOTONIC, which mean the same. */
const clocks = darwin ? { wall: 0, awake: 8, passed: 6 } : { wall: 0, awake: 1, passed: 7 }
const time = new BigInt64Array(2)

const readClock = (id: number): number => {
  if (symbols().clock_gettime(id, time) !== 0) throw new Error(`clock ${id} cannot be read: ${errorName()}`)
  return Number(time[0]) * 1_000 + Number(time[1]) / 1_000_000
}

/** Milliseconds since the epoch. */
export const wallMillis = (): number => readClock(clocks.wall)

/** Milliseconds since some moment, without those in which the machine slept. No setting of the clock moves it. */
export const awakeMillis = (): number => readClock(clocks.awake)

/** Milliseconds since some moment, with those in which the machine slept. No setting of the clock moves it. */
export const passedMillis = (): number => readClock(clocks.passed)

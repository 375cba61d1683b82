import * as Effect from "effect/Effect"
import { type Capture, type Lines, visible } from "./capture.ts"
import * as Machine from "./machine-files.ts"

/** Linux, include/net/tcp_states.h. */
const states = [
  "?",
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
  "NEW_SYN_RECV",
]
/** Linux, include/linux/net.h. */
const kinds: Readonly<Record<number, string>> = { 1: "stream", 2: "dgram", 5: "seqpacket" }
const unixStates = ["free", "unconnected", "connecting", "connected", "disconnecting"]

/** The bytes of an address, of which /proc has 32 bits at a time in the machine's order. */
const bytesOf = (hex: string): ReadonlyArray<number> =>
  (hex.match(/.{8}/g) ?? []).flatMap((group) =>
    (group.match(/../g) ?? []).toReversed().map((pair) => Number.parseInt(pair, 16)),
  )

/** RFC 5952: the longest run of zeros is left out. */
const ipv6 = (bytes: ReadonlyArray<number>): string => {
  const mapped = bytes.slice(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 255))
  if (mapped) return `::ffff:${bytes.slice(12).join(".")}`
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] << 8) | bytes[2 * index + 1]).toString(16))
  const runs = [
    ...groups
      .map((group) => (group === "0" ? "0" : "x"))
      .join("")
      .matchAll(/0{2,}/g),
  ]
  const longest = runs.toSorted((a, b) => b[0].length - a[0].length)[0]
  if (longest === undefined) return groups.join(":")
  return `${groups.slice(0, longest.index).join(":")}::${groups.slice(longest.index + longest[0].length).join(":")}`
}

/** `0100007F:1F90` as `127.0.0.1:8080`. */
export const address = (text: string): string => {
  const [hex, port] = text.split(":")
  const bytes = bytesOf(hex)
  const host = bytes.length === 4 ? bytes.join(".") : `[${ipv6(bytes)}]`
  return `${host}:${Number.parseInt(port, 16)}`
}

/** Which processes have a socket, by its inode. */
const owners = (): ReadonlyMap<string, ReadonlySet<number>> => {
  const found = new Map<string, Set<number>>()
  for (const pid of Machine.pids()) {
    for (const fd of Machine.namesIn(`/proc/${pid}/fd`) ?? []) {
      const inode = /^socket:\[(\d+)\]$/.exec(Machine.linkOf(`/proc/${pid}/fd/${fd}`) ?? "")?.[1]
      if (inode === undefined) continue
      const there = found.get(inode)
      if (there === undefined) found.set(inode, new Set([pid]))
      else there.add(pid)
    }
  }
  return found
}

const rows = (table: string): ReadonlyArray<ReadonlyArray<string>> =>
  (Machine.readNow(`/proc/net/${table}`) ?? "")
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split(/\s+/))

const addInternet = (
  lines: Lines,
  table: string,
  pidsOf: (inode: string) => string,
  named: (uid: number) => string,
) => {
  for (const [, local, remote, state, queues, , , uid, , inode] of rows(table)) {
    if (inode === undefined) continue
    const [sending, receiving] = queues.split(":").map((hex) => Number.parseInt(hex, 16))
    const name = table.startsWith("tcp")
      ? (states[Number.parseInt(state, 16)] ?? state)
      : state === "01"
        ? "ESTABLISHED"
        : "UNCONN"
    lines.add(
      [table, name, address(local), address(remote), receiving, sending, named(Number(uid)), inode, pidsOf(inode)].join(
        "\t",
      ),
    )
  }
}

/** Every socket of this network namespace with its addresses, state and the processes that have it. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    yield* Machine.needsProc
    const users = Machine.users()
    const found = owners()
    const pidsOf = (inode: string) => [...(found.get(inode) ?? [])].join(",") || "-"
    lines.add(
      ["protocol", "state", "local", "remote", "receive_queue", "send_queue", "user", "inode", "pids"].join("\t"),
    )
    for (const table of ["tcp", "tcp6", "udp", "udp6"])
      addInternet(lines, table, pidsOf, (uid) => users.get(uid) ?? String(uid))
    for (const [, , , flags, type, state, inode, ...path] of rows("unix")) {
      if (inode === undefined) continue
      const isListening = (Number.parseInt(flags, 16) & 0x10000) !== 0
      const name = isListening ? "LISTEN" : (unixStates[Number.parseInt(state, 16)] ?? state)
      const kind = kinds[Number.parseInt(type, 16)] ?? type
      lines.add(
        [`unix/${kind}`, name, visible(path.join(" ")) || "-", "-", "-", "-", "-", inode, pidsOf(inode)].join("\t"),
      )
    }
  })

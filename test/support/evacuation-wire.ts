import { type AddressInfo, type Socket, connect, createServer } from "node:net"

/** Bytes of an object, or of a part, that a client sent. */
export interface Sent {
  readonly key: string
  readonly part: number | undefined
  /** In base64, as the client named it. */
  readonly sha256: string
  /** What the server answered, once all of it went through; `reached`: the client went on, or ended that connection, then. */
  status: number | undefined
  reached: boolean
}

/** Which way bytes go: from the client up, or down to it. */
export type Way = "up" | "down"

/** A way to a server on which everything is seen, and which can be cut at any byte. */
export interface Wire {
  readonly port: number
  /** What was sent since `begin`. */
  readonly sent: ReadonlyArray<Sent>
  /** Forgets what was seen, and what was to happen. */
  readonly begin: () => void
  readonly passed: (way: Way) => number
  /** Does something once that many bytes have gone through since `begin`, not one more. */
  readonly at: (byte: number, way: Way, what: () => void) => void
  /** Breaks all connections; new ones are refused until it is opened. */
  readonly close: () => void
  /** Nothing goes through any more, and nobody is told, until it is opened: then these connections break. */
  readonly hang: () => void
  readonly open: () => void
  readonly stop: () => void
}

const headEnd = Buffer.from("\r\n\r\n")

/** Reads what a client says on one connection; `onBody` hears of the first byte of a body. */
const requests = (onRequest: () => void, onBody: (sent: Sent) => void) => {
  let head: Buffer = Buffer.alloc(0)
  let left = 0
  let sending: Sent | undefined
  return (chunk: Buffer) => {
    let rest: Buffer = chunk
    while (rest.length > 0) {
      if (left > 0) {
        if (sending !== undefined) onBody(sending)
        sending = undefined
        const taken = Math.min(left, rest.length)
        left -= taken
        rest = rest.subarray(taken)
        continue
      }
      if (head.length === 0) onRequest()
      const all: Buffer = Buffer.concat([head, rest])
      const end = all.indexOf(headEnd)
      if (end === -1) {
        head = all
        return
      }
      head = Buffer.alloc(0)
      rest = all.subarray(end + headEnd.length)
      const [first = "", ...lines] = all.subarray(0, end).toString("latin1").split("\r\n")
      const headers = new Map(lines.map((line) => [line.split(":")[0]?.toLowerCase(), line.replace(/^[^:]*: */, "")]))
      if (headers.has("transfer-encoding")) throw new Error(`the wire does not read ${first}`)
      left = Number(headers.get("content-length") ?? 0)
      const [method, target = ""] = first.split(" ")
      const url = new URL(target, "http://server")
      const part = url.searchParams.get("partNumber")
      const sha256 = headers.get("x-amz-checksum-sha256") ?? headers.get("x-amz-content-sha256") ?? ""
      const key = decodeURIComponent(url.pathname).replace(/^\/[^/]*\//, "")
      if (method !== "PUT") continue
      sending = { key, part: part === null ? undefined : Number(part), sha256, status: undefined, reached: false }
    }
  }
}

/** Reads what a server says to one request: its status, once the last byte of the answer has gone through. */
const answerOf = () => {
  let head = ""
  let left: number | undefined
  return (bytes: Buffer): number | undefined => {
    let rest = bytes
    if (left === undefined) {
      head += bytes.toString("latin1")
      // The server may say first that it waits for the body.
      head = head.replace(/^HTTP\/1\.1 100[^]*?\r\n\r\n/, "")
      const end = head.indexOf("\r\n\r\n")
      if (end === -1 || head.startsWith("HTTP/1.1 100")) return undefined
      rest = Buffer.from(head.slice(end + headEnd.length), "latin1")
      left = Number(/^content-length: *(\d+)/im.exec(head.slice(0, end))?.[1] ?? 0)
    }
    left -= rest.length
    return left > 0 ? undefined : Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1])
  }
}

/** Starts one before a port of this machine. */
export const start = async (target: number): Promise<Wire> => {
  const open = new Set<Socket>()
  const sent: Array<Sent> = []
  const passed = { up: 0, down: 0 }
  let state: "open" | "closed" | "silent" = "open"
  let trap: { readonly byte: number; readonly way: Way; readonly what: () => void } | undefined

  const broken = new WeakSet<Socket>()
  const breakAll = () => {
    for (const socket of open) {
      broken.add(socket)
      socket.resetAndDestroy()
    }
  }
  /** Lets bytes through, up to the one at which something happens. */
  const through = (bytes: Buffer, way: Way, to: Socket, seen: (bytes: Buffer) => void) => {
    const until = trap?.way === way ? trap.byte - passed[way] : Infinity
    const first = bytes.subarray(0, Math.min(until, bytes.length))
    passed[way] += first.length
    seen(first)
    if (first.length > 0) to.write(first)
    if (trap === undefined || until > bytes.length) return
    const { what } = trap
    trap = undefined
    what()
    if (state === "open" && first.length < bytes.length && to.writable) through(bytes.subarray(until), way, to, seen)
  }

  const server = createServer((client) => {
    if (state === "closed") return void client.resetAndDestroy()
    const upstream = connect({ host: "127.0.0.1", port: target })
    let current: Sent | undefined
    let answered: ReturnType<typeof answerOf> | undefined
    const isHeard = () => {
      if (current?.status !== undefined) current.reached = true
    }
    const onRequest = () => {
      isHeard()
      current = undefined
      answered = answerOf()
    }
    const up = requests(onRequest, (begun) => {
      current = begun
      sent.push(begun)
    })
    const down = (bytes: Buffer) => {
      const status = answered?.(bytes)
      if (status === undefined) return
      answered = undefined
      if (current !== undefined) current.status = status
    }
    // Not of a connection that was broken here: what had gone through may not have been read.
    client.on("end", () => {
      if (state === "open" && !broken.has(client)) isHeard()
    })
    for (const [from, to, way, seen] of [
      [client, upstream, "up", up],
      [upstream, client, "down", down],
    ] as const) {
      open.add(from)
      from.setNoDelay(true)
      from.on("data", (bytes: Buffer) => {
        if (state === "open") through(bytes, way, to, seen)
      })
      from.on("error", () => from.destroy())
      from.on("close", () => {
        open.delete(from)
        if (state !== "silent") to.destroy()
      })
    }
  })
  const listening = Promise.withResolvers<number>()
  server.listen(0, "127.0.0.1", () => listening.resolve((server.address() as AddressInfo).port))
  return {
    port: await listening.promise,
    sent,
    begin: () => {
      sent.length = 0
      passed.up = passed.down = 0
      trap = undefined
    },
    passed: (way) => passed[way],
    at: (byte, way, what) => void (trap = { byte: Math.max(byte, 1), way, what }),
    close: () => {
      state = "closed"
      breakAll()
    },
    hang: () => void (state = "silent"),
    open: () => {
      if (state === "silent") breakAll()
      state = "open"
    },
    stop: () => {
      server.close()
      breakAll()
    },
  }
}

import { type Socket, connect, createServer } from "node:net"

/** How a link is. */
export type LinkState =
  | "open"
  /** Nothing goes through in either direction, and nobody is told; what was sent arrives when the link is open again. */
  | "silent"
  /** As `silent` for the client; the server has lost the connections, and what was sent is lost. */
  | "severed"
  /** All connections are closed, and new ones too. */
  | "refused"

/** A link to a server of this machine that can fail. */
export interface Link {
  readonly port: number
  readonly set: (state: LinkState) => void
  readonly close: () => void
}

/** Forwards connections to a port of this machine, as the link is. */
export const make = (target: number): Promise<Link> => {
  let state: LinkState = "open"
  const pairs = new Map<Socket, Socket | undefined>()
  const join = (client: Socket) => {
    const server = connect({ host: "127.0.0.1", port: target })
    pairs.set(client, server)
    server.on("error", () => server.destroy())
    server.on("close", () => {
      // Of a server that went away, a client on a link that is silent hears later.
      if (state === "open" || state === "refused") client.destroy()
      else if (pairs.has(client)) pairs.set(client, undefined)
    })
    server.on("data", (bytes) => client.write(bytes))
    client.on("data", (bytes) => server.write(bytes))
  }
  const listener = createServer((client) => {
    client.on("error", () => client.destroy())
    client.on("close", () => {
      const server = pairs.get(client)
      pairs.delete(client)
      server?.destroy()
    })
    if (state === "refused") return void client.destroy()
    if (state === "open") return join(client)
    client.pause()
    pairs.set(client, undefined)
  })
  const set = (next: LinkState) => {
    const before = state
    state = next
    for (const [client, server] of pairs) {
      if (next === "refused") client.destroy()
      else if (next === "open") {
        // Whoever has no server any more, or had none yet, is to try again.
        if (server === undefined) client.destroy()
        else for (const socket of [client, server]) socket.resume()
      } else {
        client.pause()
        server?.pause()
        if (next === "severed" && before !== "severed") {
          pairs.set(client, undefined)
          server?.destroy()
        }
      }
    }
  }
  return new Promise((resolve) => {
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address()
      resolve({
        port: typeof address === "object" && address !== null ? address.port : 0,
        set,
        close: () => {
          listener.close()
          for (const [client, server] of pairs) for (const socket of [client, server]) socket?.destroy()
        },
      })
    })
  })
}

import { type Socket, connect } from "node:net"
import type { Address } from "./postgres-address.ts"

/** Makes the sockets of one connection, as the driver asks for them. */
export interface Sockets {
  readonly make: () => Promise<Socket>
  /** The server has answered: from now on the driver may make more, to cancel statements. */
  readonly opened: () => void
  /** Ends those of a connection that the server has not answered yet. */
  readonly abandon: () => void
}

/**
 * One socket until the server has answered: left to itself, the driver connects again at once, and without end, to a
 * place that closes each connection, as a balancer does that has no server.
 */
export const make = ({ host, port }: Address): Sockets => {
  const made = new Set<Socket>()
  let hasAnswered = false
  return {
    make: () =>
      new Promise((resolve, reject) => {
        if (made.size > 0 && !hasAnswered) {
          const why = "the server closed the connection before it answered; look what is between, and into its log"
          return reject(Object.assign(new Error(why), { code: "CONNECTION_CLOSED" }))
        }
        const socket = connect(host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
        if (!hasAnswered) made.add(socket)
        socket.once("error", reject)
        socket.once("connect", () => {
          socket.off("error", reject)
          // The driver reads the name that a certificate is to have from here.
          resolve(Object.assign(socket, { host, port }))
        })
      }),
    opened: () => {
      hasAnswered = true
      made.clear()
    },
    abandon: () => {
      for (const socket of made) socket.destroy()
    },
  }
}

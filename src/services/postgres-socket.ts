import { type Socket, connect, isIP } from "node:net"
import * as Tls from "node:tls"
import type { Address } from "./postgres-address.ts"

const dial = ({ host, port }: Address): Socket =>
  connect(host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })

/** Makes the socket of a connection, when the driver asks for it. */
export interface Sockets {
  readonly make: () => Promise<Socket>
  /** The server has answered. */
  readonly opened: () => void
  /** Ends the socket where the server has not answered yet. */
  readonly abandon: () => void
}

/**
 * One socket and no other: left to itself, the driver connects again at once, and without end, to a place that closes
 * each connection, as a balancer does that has no server.
 */
export const make = (place: Address): Sockets => {
  const { host, port } = place
  let made: Socket | undefined
  let hasAnswered = false
  return {
    make: () =>
      new Promise((resolve, reject) => {
        if (made !== undefined) {
          const why = "the server closed the connection before it answered; look what is between, and into its log"
          return reject(Object.assign(new Error(why), { code: "CONNECTION_CLOSED" }))
        }
        const socket = dial(place)
        made = socket
        socket.once("error", reject)
        socket.once("connect", () => {
          socket.off("error", reject)
          // The driver reads the name that a certificate is to have from here.
          resolve(Object.assign(socket, { host, port }))
        })
      }),
    opened: () => void (hasAnswered = true),
    abandon: () => {
      if (!hasAnswered) made?.destroy()
    },
  }
}

/** What the server gives a session to be cancelled by. */
export interface Backend {
  readonly pid: number
  readonly secret: number
}

const message = (...numbers: ReadonlyArray<number>) => {
  const bytes = Buffer.alloc(4 + 4 * numbers.length)
  for (const [i, number] of [bytes.length, ...numbers].entries()) bytes.writeInt32BE(number | 0, 4 * i)
  return bytes
}

/**
 * Asks the server to stop what it does for a session, on a connection of its own, as it is to be asked
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS). Where that fails the
 * answer is the same; the driver's own way leaves a rejection that nobody handles.
 */
export const cancel = (place: Address, { pid, secret }: Backend, millis: number): Promise<void> =>
  new Promise((resolve) => {
    const socket = dial(place)
    socket.on("error", () => socket.destroy())
    socket.on("close", () => resolve())
    const timer = setTimeout(() => socket.destroy(), millis)
    socket.on("close", () => clearTimeout(timer))
    const ask = (to: Socket) => to.end(message(80877102, pid, secret))
    socket.once("connect", () => {
      const { host, tls } = place
      if (tls === false) return void ask(socket)
      socket.write(message(80877103))
      socket.once("data", (answer) => {
        if (answer[0] !== 83) return void socket.destroy()
        const name = isIP(host) === 0 ? { servername: host } : {}
        const secured = Tls.connect({ socket, ...name, ...tls }, () => void ask(secured))
        secured.on("error", () => socket.destroy())
      })
    })
  })

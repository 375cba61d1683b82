/** Whether a host takes connections: one is opened and closed, and nothing is sent. */
import { connect } from "node:net"
import * as Effect from "effect/Effect"
import { bad, type Finding, ok } from "./config-finding.ts"

const ports: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 }

/** Opens and closes a TCP connection; the reason when it does not open in time. */
const reach = (host: string, port: number, millis: number): Effect.Effect<string | undefined> =>
  Effect.callback<string | undefined>((resume) => {
    const socket = connect({ host, port })
    socket.once("connect", () => resume(Effect.undefined))
    socket.once("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed(`no answer within ${millis} ms`) }))

/** What is looked at, and the words around the answer. */
export interface Wanted {
  readonly section: string
  readonly key: string
  readonly url: URL
  readonly millis: number
  /** What a connection does not tell. */
  readonly untried: string
  /** What to correct where the host is wrong. */
  readonly correct: string
}

/** Whether the host of a URL takes connections. Only its host and port are shown. */
export const look = ({ correct, key, millis, section, untried, url }: Wanted): Effect.Effect<Finding> => {
  const port = url.port === "" ? (ports[url.protocol] ?? 443) : Number(url.port)
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  return Effect.map(reach(host, port, millis), (refused) =>
    refused === undefined
      ? ok(section, `${key}: ${host}:${port} accepts connections; ${untried}`)
      : bad(
          section,
          "unavailable",
          `${key}: ${host}:${port} cannot be reached: ${refused}`,
          `start the server, open the way to it, or correct ${correct}`,
        ),
  )
}

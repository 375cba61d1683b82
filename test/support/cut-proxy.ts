import * as Effect from "effect/Effect"
import { type Socket, connect, createServer } from "node:net"

/** What becomes of a connection when the client's bytes hold the word that is waited for. */
export type Cut =
  /** It is closed, and the server never sees those bytes. */
  | "before"
  /** The server sees and answers them; then it is closed, and the client never sees the answer. */
  | "after"
  /** Nothing goes through any more, in no direction, and nobody is told. */
  | "silence"

/** A way to a server on which connections can be cut at a word. */
export interface CutProxy {
  readonly port: number
  /** Once, at the next time that the word comes. */
  readonly cutAt: (word: string, how: Cut) => void
}

/** Forwards connections to a port of this machine until the scope closes. */
export const make = (target: number) =>
  Effect.acquireRelease(
    Effect.callback<CutProxy & { readonly close: () => void }>((resume) => {
      let word: string | undefined
      let how: Cut = "before"
      const open = new Set<Socket>()
      const server = createServer((client) => {
        const upstream = connect({ host: "127.0.0.1", port: target })
        let state: "open" | "answering" | "silent" = "open"
        for (const socket of [client, upstream]) {
          open.add(socket)
          socket.on("error", () => socket.destroy())
          socket.on("close", () => {
            open.delete(socket)
            if (state === "silent") return
            client.destroy()
            upstream.destroy()
          })
        }
        client.on("data", (bytes) => {
          const found = word !== undefined && bytes.includes(word)
          if (found) word = undefined
          if (found && how === "before") return void client.destroy()
          if (found && how === "silence") state = "silent"
          if (found && how === "after") state = "answering"
          if (state !== "silent") upstream.write(bytes)
        })
        upstream.on("data", (bytes) => {
          if (state === "open") client.write(bytes)
          else if (state === "answering") client.destroy()
        })
      })
      const close = () => {
        server.close()
        for (const socket of open) socket.destroy()
      }
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const cutAt: CutProxy["cutAt"] = (next, kind) => {
          word = next
          how = kind
        }
        resume(Effect.succeed({ port, cutAt, close }))
      })
    }),
    ({ close }) => Effect.sync(close),
  )

import { createServer, type IncomingMessage, request as send, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

/** An answer of the server behind, or one in its place. */
export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | ReadonlyArray<string> | undefined>
  readonly body: Buffer
  /** How much of the body is sent before the connection breaks. */
  readonly cutAt?: number
}

/** What a proxy does with a request: `forward` asks the server behind. An answer that is undefined breaks the connection. */
export type Handler = (
  request: {
    readonly method: string
    readonly url: string
    readonly headers: IncomingMessage["headers"]
    readonly body: Buffer
  },
  forward: () => Promise<Answer>,
) => Promise<Answer | undefined>

/** Takes each request as it is, its Host too, since that is signed. */
const forwarded = (target: string, request: IncomingMessage, body: Buffer) =>
  new Promise<Answer>((resolve, reject) => {
    const { hostname, port } = new URL(target)
    const { method = "GET", url: path = "/", headers } = request
    const onward = send({ hostname, port, method, path, headers, agent: false }, (answer) => {
      const chunks: Array<Buffer> = []
      answer.on("data", (chunk: Buffer) => chunks.push(chunk))
      answer.on("error", reject)
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: { ...answer.headers }, body: Buffer.concat(chunks) }),
      )
    })
    onward.on("error", reject)
    onward.end(body)
  })

const answerWith = (response: ServerResponse, answer: Answer | undefined) => {
  if (answer === undefined) return void response.socket?.destroy()
  const headers = Object.entries(answer.headers).filter(
    ([name, value]) => value !== undefined && !/^(transfer-encoding|connection|keep-alive)$/i.test(name),
  )
  response.writeHead(answer.status, Object.fromEntries(headers) as Record<string, string>)
  if (answer.cutAt === undefined) return void response.end(answer.body)
  response.write(answer.body.subarray(0, answer.cutAt), () => response.socket?.destroy())
}

/** A proxy on the loopback address before an HTTP server, as long as the scope; `url` is its own. */
export const start = (target: string, handle: Handler) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly url: string; readonly close: () => void }>((resolve) => {
          const server = createServer((request, response) => {
            const chunks: Array<Buffer> = []
            request.on("data", (chunk: Buffer) => chunks.push(chunk))
            request.on("end", () => {
              const { method = "GET", url = "/", headers } = request
              const body = Buffer.concat(chunks)
              handle({ method, url, headers, body }, () => forwarded(target, request, body)).then(
                (answer) => answerWith(response, answer),
                () => response.socket?.destroy(),
              )
            })
          })
          server.listen(0, "127.0.0.1", () => {
            const { port } = server.address() as AddressInfo
            resolve({ url: `http://127.0.0.1:${port}`, close: () => server.close() })
          })
        }),
    ),
    ({ close }) => Effect.sync(close),
  )

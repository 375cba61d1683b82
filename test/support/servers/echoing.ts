import { createServer as createHttp } from "node:http"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"

/** Servers that repeat what they were sent in what they say is wrong, as some do; each on a port of loopback. */
const listening = (server: Server) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () => Effect.sync(() => server.close()),
  )

/** Answers each request with its own path, headers and body: in plain, as HTML, as JSON, and in XML as S3 does. */
export const http = Effect.map(
  listening(
    createHttp((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const said = `${request.method} ${request.url} ${JSON.stringify(request.headers)} ${Buffer.concat(chunks).toString()}`
        const html = said
          .replaceAll("&", "&amp;")
          .replaceAll("<", "&lt;")
          .replaceAll('"', "&quot;")
          .replaceAll("'", "&#39;")
        const errors = JSON.stringify({ message: said, errors: [html, btoa(unescape(encodeURIComponent(said)))] })
        const isXml = (request.headers.authorization ?? "").startsWith("AWS4")
        const key = /Credential=([^/]+)/.exec(request.headers.authorization ?? "")?.[1] ?? ""
        const xml = `<?xml version="1.0"?><Error><Code>Bad${key}</Code><Message>${html}</Message><AWSAccessKeyId>${key}</AWSAccessKeyId></Error>`
        response.writeHead(400, {
          "content-type": isXml ? "application/xml" : "application/json",
          "x-amz-bucket-region": key,
        })
        response.end(isXml ? xml : errors)
      })
    }),
  ),
  (port) => `http://127.0.0.1:${port}`,
)

/** A Redis that refuses each command and repeats its words, as Redis does with those that it does not know. */
export const redis = listening(
  createServer((socket) => {
    socket.on("error", () => {})
    socket.on("data", (bytes) => {
      const words = bytes
        .toString()
        .split("\r\n")
        .filter((word) => word !== "" && !/^[*$]\d/.test(word))
      socket.write(`-ERR unknown command '${words[0]}', with args beginning with: '${words.slice(1).join("' '")}'\r\n`)
    })
  }),
)

const message = (kind: string, body: Buffer) => {
  const head = Buffer.alloc(5)
  head.write(kind, 0, "latin1")
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const askForPassword = (socket: Socket) => {
  const cleartext = Buffer.alloc(4)
  cleartext.writeInt32BE(3, 0)
  socket.write(message("R", cleartext))
}

/** A PostgreSQL that asks for the password in plain and repeats it in its refusal. */
export const postgres = listening(
  createServer((socket) => {
    let asked = false
    socket.on("error", () => {})
    socket.on("data", (bytes: Buffer) => {
      if (!asked) {
        asked = true
        return askForPassword(socket)
      }
      const password = bytes.subarray(5, -1).toString()
      const fields = { S: "FATAL", V: "FATAL", C: "28P01", M: `the password "${password}" is not that of the user` }
      const body = Object.entries(fields).map(([name, text]) => `${name}${text}\0`)
      socket.end(message("E", Buffer.from(`${body.join("")}\0`)))
    })
  }),
)

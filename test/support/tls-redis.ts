import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Server from "./servers/server.ts"

/** Starts a Redis that speaks TLS only, with a certificate for 127.0.0.1 that nobody has signed. `certificate` is its file. */
export const redis = (folder: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const certificate = join(folder, "server.crt")
      const key = join(folder, "server.key")
      const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
      const made = Bun.spawnSync(
        ["openssl", ...request, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        { stdout: "ignore", stderr: "pipe" },
      )
      if (made.exitCode !== 0) throw new Error(made.stderr.toString())
      const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"]
      const argv = (port: number) => [
        ...Server.words(),
        "redis-server",
        "--port",
        "0",
        "--tls-port",
        String(port),
        ...files,
        "--save",
        "",
        "--dir",
        folder,
      ]
      return { ...(await Server.start(folder, { argv })), certificate }
    }),
    (server) => Effect.promise(() => server.stop()),
  )

import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Install from "./install.ts"
import * as Server from "./server.ts"

/**
 * An S3 server (versitygw over a folder) with versioning, Object Lock, conditional writes and checksums that it checks:
 * moto 5.2.1 takes any checksum that it is sent.
 */
export interface S3 extends Server.Server {
  readonly endpoint: string
  /** Starts it again on the same port with the same data, after it was stopped or killed. */
  readonly again: () => Promise<S3>
}

/** What a client finds in its environment: the keys of the server's only user. */
export const env = {
  AWS_ACCESS_KEY_ID: "testing",
  AWS_SECRET_ACCESS_KEY: "testing",
  AWS_REGION: "us-east-1",
}

/** Starts one with its data in a folder; its only user has these keys. */
export const start = async (
  folder: string,
  { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }: Pick<typeof env, "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY"> = env,
): Promise<S3> => {
  const program = await Install.go("versitygw-1.8.0", "github.com/versity/versitygw/cmd/versitygw@v1.8.0")
  const [objects, versions, sidecar] = ["objects", "versions", "sidecar"].map((name) => join(folder, name))
  for (const each of [objects, versions, sidecar]) mkdirSync(each ?? "", { recursive: true })
  const keys = ["--access", AWS_ACCESS_KEY_ID, "--secret", AWS_SECRET_ACCESS_KEY]
  const backend = ["posix", "--versioning-dir", versions ?? "", "--sidecar", sidecar ?? "", objects ?? ""]
  const argv = (port: number) => [
    ...Server.words(),
    program,
    "--port",
    `127.0.0.1:${port}`,
    "--quiet",
    "--keep-alive",
    ...keys,
    ...backend,
  ]
  const run = async (port?: number): Promise<S3> => {
    const server = await Server.start(folder, { argv, ...(port === undefined ? {} : { port }) })
    return { ...server, endpoint: `http://127.0.0.1:${server.port}`, again: () => run(server.port) }
  }
  return run()
}

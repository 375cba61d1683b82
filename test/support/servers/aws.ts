import { join } from "node:path"
import * as Install from "./install.ts"
import * as Server from "./server.ts"

/** A moto server: S3 with Object Lock, RDS and EC2 in the memory of one process, which it forgets when it ends. */
export interface Aws extends Server.Server {
  readonly endpoint: string
  /** What a client, `aws` included, finds in its environment. */
  readonly env: Readonly<Record<string, string>>
}

const requirements = ["moto[server,s3,ec2,rds]==5.2.1"]
/** What a client finds in its environment: the server takes any keys. */
export const keys = {
  AWS_ACCESS_KEY_ID: "testing",
  AWS_SECRET_ACCESS_KEY: "testing",
  AWS_REGION: "us-east-1",
  AWS_DEFAULT_REGION: "us-east-1",
}

const isReady = (port: number) =>
  fetch(`http://127.0.0.1:${port}/moto-api/data.json`).then(
    (answer) => answer.ok,
    () => false,
  )

/** Starts one; its log is in a folder. */
export const start = async (folder: string): Promise<Aws> => {
  const bin = await Install.python("moto-5.2.1", requirements)
  const argv = (port: number) => [
    ...Server.words(),
    join(bin, "python"),
    join(bin, "moto_server"),
    "-H",
    "127.0.0.1",
    "-p",
    String(port),
  ]
  const server = await Server.start(folder, { argv, isReady, env: keys })
  return {
    ...server,
    endpoint: `http://127.0.0.1:${server.port}`,
    env: { ...keys, AWS_ENDPOINT_URL: `http://127.0.0.1:${server.port}` },
  }
}

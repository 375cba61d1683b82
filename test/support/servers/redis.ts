import * as Install from "./install.ts"
import * as Server from "./server.ts"

/** A Redis of a test's or a bench's own. */
export interface Redis extends Server.Server {
  readonly url: string
  readonly version: string
  /** Starts it again on the same port with the same data, after it was stopped or killed. */
  readonly again: () => Promise<Redis>
}

const program = () => Bun.which("redis-server") ?? Bun.which("valkey-server") ?? undefined

/** Starts one with its data in a folder; each write is flushed before it is answered. */
export const start = async (folder: string): Promise<Redis> => {
  const path = await Install.debian("redis-server", program)
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
  // Otherwise it waits 5 s for more replicas before it sends a copy.
  const prompt = ["--repl-diskless-sync-delay", "0"]
  const settings = ["--bind", "127.0.0.1", "--dir", folder, ...durable, ...prompt]
  const argv = (port: number) => [...Server.words(), path, "--port", String(port), ...settings]
  const version = Bun.spawnSync([path, "--version"]).stdout.toString()
  const run = async (port?: number): Promise<Redis> => {
    const server = await Server.start(folder, { argv, ...(port === undefined ? {} : { port }) })
    return {
      ...server,
      url: `redis://127.0.0.1:${server.port}/0`,
      version: /v=([\d.]+)/.exec(version)?.[1] ?? "?",
      again: () => run(server.port),
    }
  }
  return run()
}

import { chmodSync, existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Install from "./install.ts"
import { servant } from "./postgres.ts"
import * as Server from "./server.ts"

/** A PgBouncer in transaction mode. */
export interface PgBouncer extends Server.Server {
  readonly url: string
}

const program = (): string | undefined =>
  ["/usr/sbin/pgbouncer"].find((path) => existsSync(path)) ?? Bun.which("pgbouncer") ?? undefined

/** Starts one before the server that a url names; each transaction gets the next free of four connections. */
export const start = async (folder: string, url: string): Promise<PgBouncer> => {
  const bin = await Install.debian("pgbouncer", program)
  const { hostname, pathname, port, username } = new URL(url)
  const file = join(folder, "pgbouncer.ini")
  const settings = (own: number) => `[databases]
* = host=${hostname} port=${port} user=${username}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_round_robin = 1
default_pool_size = 4
min_pool_size = 4
ignore_startup_parameters = statement_timeout, search_path
`
  chmodSync(folder, 0o711)
  const own = Server.freePort()
  await writeFile(file, settings(own))
  const server = await Server.start(folder, { argv: () => [...Server.words(servant()), bin, file], port: own })
  return { ...server, url: `postgres://${username}@127.0.0.1:${own}${pathname}` }
}

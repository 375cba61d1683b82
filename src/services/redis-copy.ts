import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Durable from "./durable-files.ts"
import { Processes } from "./processes.ts"
import * as RedisConnection from "./redis-connection.ts"

/** Redis's data could not be copied, or a copy not be read. */
export class RedisCopyFailed extends Schema.TaggedError<RedisCopyFailed>()("RedisCopyFailed", {
  where: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `The data of ${this.where} could not be copied: ${this.reason}`
  }
}

const magic = /^REDIS\d{4}/

/**
 * Writes all databases of a server into a file, as of one moment: the server saves itself in the background (BGSAVE) and
 * sends what it saved as to a replica, wherever it runs. The file is an RDB
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/); its user needs the right to SYNC. The
 * password is handed over in the environment and stands in no argument.
 */
export const copyTo = Effect.fn("RedisCopy.copyTo")(function* (url: Redacted.Redacted<string>, file: string) {
  const { options, where } = yield* RedisConnection.targetOf(url)
  const failed = (reason: string) => new RedisCopyFailed({ where, reason })
  const program = Bun.which("redis-cli") ?? Bun.which("valkey-cli")
  if (program === null) {
    return yield* failed("redis-cli is not installed here; install Redis's client programs (Debian: redis-tools)")
  }
  const authority = process.env.NODE_EXTRA_CA_CERTS
  const words = [
    "-h",
    options.host,
    "-p",
    String(options.port),
    "--no-auth-warning",
    ...(options.username === undefined ? [] : ["--user", options.username]),
    ...(options.tls === undefined ? [] : ["--tls", ...(authority === undefined ? [] : ["--cacert", authority])]),
    ...(options.tls?.servername === undefined ? [] : ["--sni", options.tls.servername]),
  ]
  const env = options.password === undefined ? {} : { REDISCLI_AUTH: options.password }
  const ended = yield* (yield* Processes)
    .run({ argv: [program, ...words, "--rdb", file], env })
    .pipe(Effect.catchTags({ ProcessNotStarted: ({ message }) => failed(message) }))
  if (ended.exitCode !== 0) {
    const lines = `${ended.stdout}\n${ended.stderr}`.split("\n").filter((line) => line.trim() !== "")
    return yield* failed(lines.at(-1) ?? `redis-cli ended with ${ended.exitCode}`)
  }
  const first = yield* Durable.attempt("read", file, async () => {
    const handle = await Fs.open(file)
    return handle.read(Buffer.alloc(9), 0, 9, 0).finally(() => handle.close())
  })
  if (!magic.test(first.buffer.toString("latin1"))) return yield* failed("what it sent is no RDB")
  yield* Durable.fsyncFile(file)
})

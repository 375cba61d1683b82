import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AwsServer from "./aws.ts"
import * as PostgresServer from "./postgres.ts"
import * as RedisServer from "./redis.ts"
import * as S3Server from "./s3.ts"
import type { Server } from "./server.ts"

/** Starts a server in a temporary folder of its own and stops it with the scope. */
const scoped = <S extends Server>(
  name: string,
  start: (folder: string) => Promise<S>,
): Effect.Effect<S, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(mkdtempSync(join(tmpdir(), `${name} `)))),
    (server) => Effect.promise(() => server.stop("SIGINT")),
  )

/** Words of a server that runs already, from the environment; else of one that is started for this scope. */
const given = <S extends Server>(
  variable: string,
  server: Effect.Effect<S, never, Scope.Scope>,
  url: (server: S) => string,
) =>
  Effect.suspend(() => {
    const found = process.env[variable]
    return found === undefined ? Effect.map(server, url) : Effect.succeed(found)
  })

/** A PostgreSQL that the test may stop, kill and start again. */
export const ownPostgres = (options: PostgresServer.Options = {}) =>
  scoped("postgres", (folder) => PostgresServer.start(folder, options))

/** A Redis that the test may stop, kill and start again. */
export const ownRedis = scoped("redis", RedisServer.start)

/** A moto server that the test may stop; what it held is gone then. */
export const ownAws = scoped("aws", AwsServer.start)

/** An S3 server that the test may stop, kill and start again. */
export const ownS3 = scoped("s3", S3Server.start)

/** As `ownS3`, whose only user has these keys. */
export const ownS3Of = (keys: Parameters<typeof S3Server.start>[1]) =>
  scoped("s3", (folder) => S3Server.start(folder, keys))

/** `postgres://…` of a superuser: `DANDORI_TEST_POSTGRES_URL`, or a server of this scope. Make a database of your own in it. */
export const postgresUrl = given("DANDORI_TEST_POSTGRES_URL", ownPostgres(), ({ url }) => url)

/** `redis://…`: `DANDORI_TEST_REDIS_URL`, or a server of this scope. Use keys of your own in it. */
export const redisUrl = given("DANDORI_TEST_REDIS_URL", ownRedis, ({ url }) => url)

/** The endpoint of S3, RDS and EC2: `DANDORI_TEST_AWS_ENDPOINT`, or a moto server of this scope. Use buckets of your own in it. */
export const awsEndpoint = given("DANDORI_TEST_AWS_ENDPOINT", ownAws, ({ endpoint }) => endpoint)

/**
 * The endpoint of an S3 server that checks digests and has Object Lock: `DANDORI_TEST_S3_ENDPOINT`, or a server of this
 * scope. Use buckets of your own in it.
 */
export const s3Endpoint = given("DANDORI_TEST_S3_ENDPOINT", ownS3, ({ endpoint }) => endpoint)

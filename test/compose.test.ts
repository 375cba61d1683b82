import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import * as S3Server from "./support/servers/s3.ts"

const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8")
const text = read("../deploy/compose.yaml")

interface Service {
  readonly image: string
  readonly environment?: Readonly<Record<string, string>>
  readonly command?: ReadonlyArray<string>
  readonly ports: ReadonlyArray<string>
  readonly healthcheck: { readonly test: ReadonlyArray<string> }
}
const services: Readonly<Record<string, Service>> = Yaml.parse(text).services

/** `export NAME=url` of the file's header. */
const exported = new Map(
  [...text.matchAll(/^#\s+export (DANDORI_TEST_\w+)=(\S+)$/gm)].map(([, name, url]) => [name, new URL(url)]),
)

/** The service behind a variable of the header: the one that publishes its port. */
const behind = (variable: string): Service => {
  const { hostname, port } = exported.get(variable) ?? new URL("none://")
  const found = Object.values(services).find(({ ports }) =>
    ports.some((each) => each.startsWith(`${hostname}:${port}:`)),
  )
  return found ?? assert.fail(`no service publishes the port of ${variable}`)
}

describe("deploy/compose.yaml", () => {
  it("exports just the variables by which tests find servers, each to a service of its own", () => {
    const wanted = [...read("support/servers/scoped.ts").matchAll(/given\("(\w+)"/g)].map(([, name]) => name)
    assert.sameMembers([...exported.keys()], wanted)
    const found = new Set(wanted.map(behind))
    assert.strictEqual(found.size, Object.keys(services).length)
  })

  it("pins each image to a version, publishes on loopback alone, and says when each server is ready", () => {
    for (const [name, { healthcheck, image, ports }] of Object.entries(services)) {
      assert.match(image, /^[\w/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/, name)
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name)
      assert.strictEqual(healthcheck.test[0], "CMD", name)
    }
  })

  it("has the servers that the tests start by themselves: the same versions, keys and user", () => {
    const { image: s3, environment: keys, command = [] } = behind("DANDORI_TEST_S3_ENDPOINT")
    assert.strictEqual(s3.split(":")[1], /versitygw@(v[\d.]+)/.exec(read("support/servers/s3.ts"))?.[1])
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = S3Server.env
    assert.deepStrictEqual(keys, { ROOT_ACCESS_KEY: AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: AWS_SECRET_ACCESS_KEY })
    for (const word of ["posix", "--versioning-dir", "--sidecar"]) assert.include(command, word)
    const moto = behind("DANDORI_TEST_AWS_ENDPOINT").image.split(":")[1]
    assert.strictEqual(moto, /moto\[[^\]]*\]==([\d.]+)/.exec(read("support/servers/aws.ts"))?.[1])
    const { environment = {} } = behind("DANDORI_TEST_POSTGRES_URL")
    assert.strictEqual(environment.POSTGRES_USER, exported.get("DANDORI_TEST_POSTGRES_URL")?.username)
    assert.strictEqual(environment.POSTGRES_HOST_AUTH_METHOD, "trust")
    const own = [...read("support/servers/redis.ts").matchAll(/"(--append\w+|--maxmemory-policy)", "(\w+)"/g)]
    assert.isAbove(own.length, 2)
    const redis = behind("DANDORI_TEST_REDIS_URL").command ?? []
    for (const [, option, value] of own) assert.strictEqual(redis[redis.indexOf(option) + 1], value)
  })
})

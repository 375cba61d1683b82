/** Stores a file: `bun s3-upload-memory.fixture.ts ENDPOINT BUCKET PATH PART PARALLEL`. Prints its peak memory in MiB. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Configured from "../../src/services/object-store-configured.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import { env } from "../support/servers/s3.ts"

const [endpoint = "", bucket = "", path = "", part_size = "", parallel = ""] = process.argv.slice(2)
const s3 = { endpoint, region: env.AWS_REGION, path_style: true, part_size, parallel_parts: Number(parallel) }
await Effect.gen(function* () {
  const store = yield* (yield* ObjectStore).open(`s3://${bucket}`)
  yield* store.putFile("large", path)
}).pipe(Effect.provide(Configured.layer({ s3 })), Effect.runPromise)
// Not maxRSS, which counts what its parent had when it began.
const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]
process.stdout.write(`${Number(peak) / 1024}\n`)

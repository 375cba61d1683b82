/** Stores a file: `bun s3-upload-memory.fixture.ts ENDPOINT BUCKET PATH PART PARALLEL`. Prints its peak memory in MiB. */
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
process.stdout.write(`${process.resourceUsage().maxRSS / 1024}\n`)

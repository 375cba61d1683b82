// The long trial of releases and rollbacks, whose processes are killed and whose PostgreSQL, Redis and S3 are stopped and
// started: `bun test/chaos/release.ts [CRASHES] [--seed N] [--only kill,postgres,redis,s3]`. Exits 1 on a broken promise,
// and keeps the project and the servers' data in which it was found.
import { parseArgs } from "node:util"
import { campaign } from "../support/release-chaos.ts"
import { kindsOf } from "../support/release-crashes.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, only: { type: "string" } },
})
const crashes = Number(positionals[0] ?? 500)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const say = (line: string) => void process.stdout.write(`${line}\n`)
say(`seed ${seed}`)
const tally = await campaign({
  crashes,
  seed,
  ...(values.only === undefined ? {} : { kinds: kindsOf(values.only.split(",")) }),
  say,
})
say(JSON.stringify({ seed, ...tally }, null, 2))
process.exitCode = tally.faults.length === 0 ? 0 : 1

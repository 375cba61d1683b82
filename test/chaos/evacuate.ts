// The long trial of evacuations whose process is killed, whose network is cut and whose disk is filled:
// `bun test/chaos/evacuate.ts [KILLS] [--seed N] [--only process,network,disk]`. Exits 1 on a broken promise, and keeps
// the projects and the server's data in which it was found. `DANDORI_TEST_BINARY` names a binary that is built already.
import { parseArgs } from "node:util"
import { campaign } from "../support/evacuation-chaos.ts"
import { kinds } from "../support/evacuation-disturbances.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, only: { type: "string" } },
})
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const only = values.only?.split(",")
const say = (line: string) => void process.stdout.write(`${line}\n`)
say(`seed ${seed}`)
const tally = await campaign({
  kills: Number(positionals[0] ?? 300),
  seed,
  kinds: kinds.filter((kind) => only === undefined || only.includes(kind)),
  say,
})
say(JSON.stringify({ seed, ...tally }, null, 2))
process.exitCode = tally.faults.length === 0 ? 0 : 1

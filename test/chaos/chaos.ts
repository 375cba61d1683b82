// The long chaos trial: `bun test/chaos/chaos.ts [KILLS] [SEED]`. Exits 1 at the first fault and keeps its project.
import * as Effect from "effect/Effect"
import { campaign } from "../support/engine-campaign.ts"

const kills = Number(process.argv[2] ?? 500)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const tally = await Effect.runPromise(campaign({ kills, seed }))
process.stdout.write(`${JSON.stringify({ seed, ...tally }, null, 2)}\n`)
process.exitCode = tally.faults.length === 0 ? 0 : 1

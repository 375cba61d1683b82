// The long trial of a database that goes away: `bun test/chaos/database.ts [RUNS] [SEED]`, restarted every 5 to 10 seconds.
// Exits 1 at the first fault and keeps the project in which it was found.
import { campaign } from "../support/database-chaos.ts"

const runs = Number(process.argv[2] ?? 200)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const say = (line: string) => void process.stdout.write(`${line}\n`)
say(`seed ${seed}`)
const tally = await campaign({ runs, seed, width: 2, restartMillis: [5_000, 10_000], say })
say(JSON.stringify({ seed, ...tally }, null, 2))
process.exitCode = tally.faults.length === 0 ? 0 : 1

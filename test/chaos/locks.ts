// The long trial of locks between processes: `bun test/chaos/locks.ts [KILLS] [SEED]`. Exits 1 at the first fault and
// keeps the project in which it was found.
import { campaign } from "../support/lock-chaos.ts"

const kills = Number(process.argv[2] ?? 1_000)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const say = (line: string) => void process.stdout.write(`${line}\n`)
say(`seed ${seed}`)
const tally = await campaign({ kills, seed, width: 3, say })
say(JSON.stringify({ seed, ...tally }, null, 2))
process.exitCode = tally.faults.length === 0 ? 0 : 1

// The long trial of three daemons on one PostgreSQL: `bun test/chaos/daemons.ts [MINUTES] [SEED]`. Exits 1 when a tick or a
// run was lost, doubled or wrong, and keeps the folder in which it was found.
import { trial } from "../support/daemons-chaos.ts"

const minutes = Number(process.argv[2] ?? 10)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const say = (line: string) => void process.stdout.write(`${line}\n`)
say(`seed ${seed}`)
const tally = await trial({
  seed,
  millis: minutes * 60_000,
  pauseMillis: [3_000, 15_000],
  stopMillis: [5_000, 60_000],
  linkMillis: [2_000, 30_000],
  say,
})
say(JSON.stringify({ seed, ...tally }, null, 2))
process.exitCode = tally.faults.length === 0 ? 0 : 1

// The long trial of the promises in simulation: `bun test/chaos/simulation.ts [SIMULATIONS] [SEED]`. Exits 1 when one broke.
import * as Trial from "../support/simulation-trial.ts"

const many = Number(process.argv[2] ?? 10_000)
const first = Number(process.argv[3] ?? Date.now() % 1_000_000)
const began = performance.now()
const tally = Trial.newTally()
for (let seed = first; seed < first + many; seed++) {
  Trial.count(tally, seed, Trial.tried(seed))
  if (tally.simulations % 500 === 0) {
    const seconds = ((performance.now() - began) / 1_000).toFixed(1)
    process.stderr.write(`${tally.simulations} of ${many}, ${tally.broken.length} broken, ${seconds} s\n`)
  }
}
const seconds = (performance.now() - began) / 1_000
process.stdout.write(`${JSON.stringify({ firstSeed: first, seconds, ...tally }, null, 2)}\n`)
process.exitCode = tally.broken.length === 0 ? 0 : 1

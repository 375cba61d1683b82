// The long trial of the promises in simulation: `bun test/chaos/simulation.ts [SIMULATIONS] [SEED]`. Exits 1 when one broke.
import * as Trial from "../support/simulation-trial.ts"

const many = Number(process.argv[2] ?? 10_000)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const began = performance.now()
const seconds = () => Math.round(performance.now() - began) / 1_000
const { broken, tally } = Trial.campaign(seed, many, (done) => {
  if (done % 500 === 0) process.stderr.write(`${done} of ${many} in ${seconds()} s\n`)
})
process.stdout.write(`${JSON.stringify({ firstSeed: seed, seconds: seconds(), ...tally, broken }, null, 2)}\n`)
const late = Trial.campaign(seed, Math.ceil(many / 10), undefined, Trial.bestEffortOf)
process.stdout.write(`${JSON.stringify({ audit: "best-effort", ...late.tally, broken: late.broken }, null, 2)}\n`)
const ended = seconds()
const events = Trial.volume(1_000_000)
process.stdout.write(`${events} events without faults, checks and seals in ${(seconds() - ended).toFixed(1)} s\n`)
process.exitCode = broken.length + late.broken.length === 0 ? 0 : 1

/**
 * Measures this machine: `bun bench/main.ts [--small] [NAME…]`. Each bench runs in a process of its own. What publish,
 * snapshot-upload and evacuate move can be made smaller: `DANDORI_BENCH_SHARE=0.1` of it.
 */
import * as Disk from "./disk.ts"
import type { Report } from "./figure.ts"
import * as Machine from "./machine.ts"
import * as Place from "./place.ts"
import * as Table from "./table.ts"

const benches: Readonly<Record<string, string>> = {
  "durable-run": "durable run of three tasks, in one process",
  "task-overhead": "overhead per task",
  wide: "100,000 tasks at once",
  deep: "100,000 tasks, each after the one before",
  mixed: "100,000 tasks in blocks of fan-out, fan-in and chain",
  matrix: "matrices of 10,000",
  "cache-hit": "tasks found in the cache",
  peers: "the same graphs on other engines",
  "cli-start": "start of the command line",
  compile: "compiling",
  data: "market data",
  ledger: "the ledger",
  registry: "the model registry",
  publish: "publishing a large model",
  "snapshot-upload": "a snapshot to an S3 server",
  evacuate: "an evacuation to an S3 server",
  "lock-hand-over": "locks between processes",
  "worker-start": "start of child processes",
  recovery: "kill -9 to the first resumed attempt",
  daemon: "a daemon",
}

const args = process.argv.slice(2)
const small = args.includes("--small")
const asked = args.filter((arg) => arg !== "--small")
const unknown = asked.filter((name) => benches[name] === undefined)
if (unknown.length > 0) {
  process.stderr.write(`No bench is called ${unknown.join(", ")}. There are: ${Object.keys(benches).join(", ")}\n`)
  process.exit(64)
}

const say = (text: string) => process.stdout.write(`${text}\n`)
let failed = false
say(Machine.machine())
for (const name of asked.length === 0 ? Object.keys(benches) : asked) {
  say(`\n${name}: ${benches[name]}`)
  say(`  disk: ${Disk.line(Place.folder(), Disk.flush(Place.folder(), small ? 5 : 200))}`)
  say(`  ${Machine.load()}`)
  const child = Bun.spawnSync([process.execPath, `${import.meta.dir}/child.ts`, name, small ? "small" : "full"], {
    stdout: "pipe",
    stderr: "inherit",
  })
  const last = child.stdout.toString().trimEnd().split("\n").at(-1) ?? ""
  if (child.exitCode !== 0) {
    say(`  FAILED with exit code ${child.exitCode}`)
    failed = true
    continue
  }
  const report: Report = JSON.parse(last)
  for (const line of Table.lines(report)) say(`  ${line}`)
}
process.exit(failed ? 1 : 0)

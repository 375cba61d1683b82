import * as Simulation from "../src/simulation/simulation.ts"
import * as Promises from "../src/simulation/promises.ts"
import * as Faults from "../src/simulation/faults.ts"
import { plan, task } from "./support/engine-plan.ts"
const tasks = Array.from({ length: 20000 }, (_, i) => task(`t${i}`, { type: "any", version: 1, effects: i % 4 === 0 ? "idempotent" : "pure" }, { needs: i % 10 === 0 ? [] : [`t${i - 1}`] }))
const p = plan(tasks)
for (const sealed of [false]) for (const f of [Faults.none]) {
  const t0 = performance.now()
  const tr = Simulation.simulate({ plan: p, seed: 1, faults: f === Faults.mix ? { ...f, cancel: 0 } : f, capacity: { cpu: 64, memory: 1, gpu: 0, pools: {}, attempts: 64 }, from: 0, sealed })
  const t1 = performance.now()
  const ev = tr.moments.filter((m) => m._tag === "Appended").length
  const v = Promises.check(tr)
  console.log({ sealed, faults: f !== Faults.none, ev, sim: t1 - t0, evps: ev / (t1 - t0) * 1000, check: performance.now() - t1, v: v.length })
}

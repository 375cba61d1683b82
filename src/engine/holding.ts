import * as HashMap from "effect/HashMap"
import type { Capacity } from "../domain/event.ts"
import type { Resources } from "../domain/plan.ts"
import type { Held } from "./run-state.ts"

const count = (map: HashMap.HashMap<string, number>, key: string): number => {
  const found = HashMap.get(map, key)
  return found._tag === "Some" ? found.value : 0
}

const add = (map: HashMap.HashMap<string, number>, key: string, by: number): HashMap.HashMap<string, number> =>
  HashMap.set(map, key, count(map, key) + by)

/** Sums of fractions of a processor, to a millionth: what was added and taken away again leaves nothing behind. */
const plus = (a: number, b: number): number => Math.round((a + b) * 1e6) / 1e6

/** What is held after an attempt with these resources starts (`by` 1) or ends (`by` -1). */
export const change = (held: Held, resources: Resources, by: 1 | -1): Held => {
  let { pools, locks } = held
  for (const pool in resources.pools) pools = add(pools, pool, by * resources.pools[pool])
  for (const lock of resources.locks ?? []) locks = add(locks, lock, by)
  return {
    cpu: plus(held.cpu, by * (resources.cpu ?? 0)),
    memory: held.memory + by * (resources.memory ?? 0),
    gpu: held.gpu + by * (resources.gpu ?? 0),
    attempts: held.attempts + by,
    pools,
    locks,
  }
}

/** What an attempt would have to wait for; undefined when it may start. All is taken at once or nothing: no deadlock. */
export const lacking = (held: Held, capacity: Capacity, resources: Resources): string | undefined => {
  if (held.attempts + 1 > capacity.attempts) return `attempts (${capacity.attempts} at once)`
  if (resources.cpu !== undefined && plus(held.cpu, resources.cpu) > capacity.cpu) return "cpu"
  if (resources.memory !== undefined && held.memory + resources.memory > capacity.memory) return "memory"
  if (resources.gpu !== undefined && held.gpu + resources.gpu > capacity.gpu) return "gpu"
  for (const lock of resources.locks ?? []) if (count(held.locks, lock) > 0) return `lock ${lock}`
  for (const pool in resources.pools) {
    if (count(held.pools, pool) + resources.pools[pool] > (capacity.pools[pool] ?? 0)) return `pool ${pool}`
  }
  return undefined
}

/** Why a task with these resources could never start on this capacity; undefined when it could. */
export const impossible = (capacity: Capacity, resources: Resources): string | undefined => {
  if ((resources.cpu ?? 0) > capacity.cpu) return `it wants ${resources.cpu} cpu, this machine offers ${capacity.cpu}`
  if ((resources.memory ?? 0) > capacity.memory) {
    return `it wants ${resources.memory} bytes of memory, this machine offers ${capacity.memory}`
  }
  if ((resources.gpu ?? 0) > capacity.gpu) return `it wants ${resources.gpu} gpu, this machine offers ${capacity.gpu}`
  for (const pool in resources.pools) {
    const size = capacity.pools[pool]
    if (size === undefined) return `the pool ${pool} is not in the resources section of the configuration`
    if (resources.pools[pool] > size) return `it wants ${resources.pools[pool]} of pool ${pool}, which has ${size}`
  }
  return undefined
}

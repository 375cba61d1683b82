import { type Backoff, type Resources, type Retry, defaultBackoff } from "../domain/plan.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get } from "./located.ts"

const readBackoff = (reader: FieldReader, retry: Located, path: string): Backoff | undefined => {
  const node = get(retry, "backoff")
  if (node === undefined) return undefined
  const here = `${path}.backoff`
  if (reader.map(node, here, "backoff", ["initial", "factor", "max", "jitter"]) === undefined) return undefined
  return {
    initial: reader.duration(node, "initial", here) ?? defaultBackoff.initial,
    factor: reader.number(node, "factor", here, { min: 1, max: 100 }) ?? defaultBackoff.factor,
    max: reader.duration(node, "max", here) ?? defaultBackoff.max,
    jitter: reader.choice(node, "jitter", here, ["full", "none"]) ?? defaultBackoff.jitter,
  }
}

/** The `retry` of a task or of `defaults`. */
export const readRetry = (reader: FieldReader, parent: Located, parentPath: string): Retry | undefined => {
  const node = get(parent, "retry")
  if (node === undefined) return undefined
  const path = `${parentPath}.retry`
  if (reader.map(node, path, "retry", ["attempts", "on", "backoff"]) === undefined) return undefined
  const on = get(node, "on") === undefined ? undefined : reader.texts(node, "on", path).map(({ text }) => text)
  const backoff = readBackoff(reader, node, path)
  return {
    attempts: reader.number(node, "attempts", path, { min: 1, max: 100, whole: true }) ?? 3,
    ...(on === undefined ? {} : { on: on.toSorted() }),
    ...(backoff === undefined ? {} : { backoff }),
  }
}

/** The `heartbeat` of a task or of `defaults`, milliseconds. */
export const readHeartbeat = (reader: FieldReader, parent: Located, path: string): number | undefined => {
  const heartbeat = reader.duration(parent, "heartbeat", path)
  if (heartbeat !== 0) return heartbeat
  const at = get(parent, "heartbeat")?.at ?? parent.at
  return reader.report(at, `${path}.heartbeat`, "heartbeat must be longer than 0. Leave it out to wait for ever.")
}

/** What the tasks of a pipeline have that do not say it themselves. */
export interface Defaults {
  readonly retry: Retry | undefined
  readonly heartbeat: number | undefined
}

/** The `defaults` of a pipeline. */
export const readDefaults = (reader: FieldReader, node: Located): Defaults | undefined =>
  reader.map(node, "defaults", "defaults", ["retry", "heartbeat"]) === undefined
    ? undefined
    : { retry: readRetry(reader, node, "defaults"), heartbeat: readHeartbeat(reader, node, "defaults") }

/** The `resources` of a task: sizes in bytes, locks sorted. */
export const readResources = (reader: FieldReader, parent: Located, parentPath: string): Resources | undefined => {
  const node = get(parent, "resources")
  if (node === undefined) return undefined
  const path = `${parentPath}.resources`
  if (reader.map(node, path, "resources", ["cpu", "memory", "gpu", "pools", "locks"]) === undefined) return undefined
  const cpu = reader.number(node, "cpu", path, { min: 0, max: 4096 })
  const memory = reader.size(node, "memory", path)
  const gpu = reader.number(node, "gpu", path, { min: 0, max: 64, whole: true })
  const locks = reader.texts(node, "locks", path).map(({ text }) => text)
  const poolsNode = get(node, "pools")
  const pools: Record<string, number> = {}
  if (poolsNode?.kind === "map") {
    for (const { key } of poolsNode.entries) {
      const count = reader.number(poolsNode, key, `${path}.pools`, { min: 1, max: 1_000_000, whole: true })
      if (count !== undefined) pools[key] = count
    }
  } else if (poolsNode !== undefined)
    reader.report(poolsNode.at, `${path}.pools`, "pools must be a map, like { trainers: 1 }.")
  return {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory }),
    ...(gpu === undefined ? {} : { gpu }),
    ...(Object.keys(pools).length === 0 ? {} : { pools }),
    ...(locks.length === 0 ? {} : { locks: [...new Set(locks)].toSorted() }),
  }
}

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type { NewModel, Warrant } from "../../src/domain/registry.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"

export const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
export const other = { ...slot, timeframe: "4h" } as const
export const model = (version: string, over: Partial<NewModel> = {}): NewModel => ({
  version,
  slot,
  digest: Sha256.of(version),
  path: `.dandori/models/${version}`,
  theta: { theta1: 0.7, theta2: 0.3, history: [{ theta1: 0.68, theta2: 0.3 }] },
  metrics: { sharpe: 1.5 },
  datasets: [Sha256.of("data")],
  receipts: [Sha256.of("receipt")],
  synthetic: true,
  ...over,
})
export const warrant = (reason: string, key = "key"): Warrant => ({
  who: "ann",
  reason,
  intent: Sha256.of(`intent ${key}`),
  run: "run",
  task: "publish",
  key,
})
export const how = { previousBecomes: "archived", receipt: Sha256.of("receipt"), outbox: [] } as const
export const message = { kind: "notification", payload: { title: "live" } }

/** Takes a table's trigger away, as someone may who wants to hide something. */
export const dropTrigger = (trigger: string, table: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql.unsafe(
      sql.onDialectOrElse({ pg: () => `DROP TRIGGER ${trigger} ON ${table}`, orElse: () => `DROP TRIGGER ${trigger}` }),
    ),
  )

export const approve = (version: string, over: Partial<NewModel> = {}) =>
  Effect.gen(function* () {
    const registry = yield* ModelRegistry
    yield* registry.register(model(version, over), "candidate", warrant("trained"))
    yield* registry.transition(version, "approved", warrant("gates passed"))
  })
export const deploy = (version: string, over: Partial<NewModel> = {}) =>
  Effect.gen(function* () {
    yield* approve(version, over)
    return yield* (yield* ModelRegistry).deploy(version, how, warrant(`deploy ${version}`))
  })
export const status = (version: string) =>
  Effect.gen(function* () {
    return Option.getOrThrow(yield* (yield* ModelRegistry).find(version)).status
  })

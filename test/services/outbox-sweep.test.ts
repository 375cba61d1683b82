import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Sections } from "../../src/domain/config/sections.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as Outbox from "../../src/services/notification-outbox.ts"
import * as OutboxSweep from "../../src/services/outbox-sweep.ts"
import { Settings } from "../../src/services/settings.ts"
import { makeClock } from "../tasks/retention-place.ts"
import * as Workplace from "../tasks/workplace.ts"

const day = 86_400_000
const start = Date.UTC(2025, 0, 15)

const settings = Layer.succeed(Settings, {
  env: "dev",
  sections: { retention: { logs_days: 90, signals_months: 12, audit_years: 5 } } as Sections,
  digest: () => Sha256.of("settings"),
})

const entry = (id: string, created: number): Outbox.Entry => ({
  id,
  created,
  message: { channel: "ops", severity: "info", title: id, text: "text" },
  routes: [{ to: "console" }],
  done: [],
})
const refusal = { refused: [{ route: 0, reason: "no such channel" }] }

describe("sweeping the outboxes", () => {
  it.live(
    "removes what was delivered or acknowledged long ago, signals by their own time, and what was refused beyond the audit's time",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const root = yield* Workplace.project
          const { layer, state } = makeClock(start)
          const folder = join(root, ".dandori/outbox")
          const names = (name: string) => Fs.readdirSync(join(folder, name)).toSorted()
          yield* Effect.gen(function* () {
            const outbox = yield* Outbox.open(folder)
            const registry = yield* ModelRegistry
            const put = Effect.fnUntraced(function* (id: string, created: number, over: Partial<Outbox.Entry> = {}) {
              yield* outbox.add(entry(id, created))
              if (Object.keys(over).length > 0) yield* outbox.update({ ...entry(id, created), ...over })
            })
            yield* put("waits", start)
            yield* put("delivered", start, { done: [0] })
            yield* put("refused", start, refusal)
            yield* put("seen", start, refusal)
            Fs.writeFileSync(join(folder, "delivered/odd.json"), "no entry")
            assert.isTrue(yield* outbox.acknowledge("seen"))
            assert.isFalse(yield* outbox.acknowledge("seen"))
            assert.isFalse(yield* outbox.acknowledge("../pending/waits"))
            assert.deepStrictEqual(
              (yield* outbox.refused).map(({ id }) => id),
              ["refused"],
            )
            const warrant = { who: "ann", reason: "r", intent: Sha256.of("i"), run: "r", task: "t", key: "k" }
            const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
            const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
            const model = { version: "v1", slot, digest: Sha256.of("v1"), path: "models/v1", ...facts }
            yield* registry.register(model, "candidate", warrant)
            yield* registry.transition("v1", "approved", warrant)
            const outgoing = ["notification", "signal", "signal"].map((kind, n) => ({ kind, payload: { n } }))
            yield* registry.deploy("v1", { previousBecomes: "archived", receipt: null, outbox: outgoing }, warrant)
            const [first, second] = yield* registry.pendingOutbox(9)
            yield* registry.markDelivered([first?.id ?? 0, second?.id ?? 0])

            assert.strictEqual(yield* OutboxSweep.sweep, 0)
            state.now = start + 90 * day
            assert.strictEqual(yield* OutboxSweep.sweep, 0)
            state.now += 1
            assert.strictEqual(yield* OutboxSweep.sweep, 0, "once a day is enough")
            state.now += day
            assert.strictEqual(yield* OutboxSweep.sweep, 3)
            assert.deepStrictEqual(names("delivered"), ["odd.json"])
            assert.deepStrictEqual([names("acknowledged"), names("pending")], [[], ["waits.json"]])
            assert.deepStrictEqual(names("refused"), ["refused.json"])
            assert.strictEqual((yield* registry.pendingOutbox(9)).length, 1)
            state.now = Date.UTC(2026, 0, 15)
            assert.strictEqual(yield* OutboxSweep.sweep, 0, "a signal is kept as long as its own key says")
            state.now = Date.UTC(2026, 0, 17)
            assert.strictEqual(yield* OutboxSweep.sweep, 1)
            assert.strictEqual((yield* registry.pendingOutbox(9)).length, 1)
            state.now = Date.UTC(2030, 0, 15)
            assert.strictEqual(yield* OutboxSweep.sweep, 0)
            state.now = Date.UTC(2030, 0, 17)
            assert.strictEqual(yield* OutboxSweep.sweep, 1)
            assert.deepStrictEqual([names("refused"), names("pending")], [[], ["waits.json"]])
          }).pipe(
            Effect.provide(
              RegistrySql.layerState.pipe(
                Layer.provideMerge(Layer.mergeAll(Workplace.place(root), settings)),
                Layer.provideMerge(layer),
              ),
            ),
          )
        }),
      ),
  )
})
